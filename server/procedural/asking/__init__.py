"""What questions can ask: their skeletons. Each makes a statement and its words; conditions vary within them."""
