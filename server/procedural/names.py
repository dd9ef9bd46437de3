"""Proper names: people, places, codes, and names put together from parts."""

from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.domain import Codes, Listed, Made, Names, People, Places

GIVEN = (
    "Ada Ahmed Aino Akira Alma Amara Anders Anouk Arjun Asta Aurel Beatriz Bela Benedikt Birgit Bram Camille Carlos "
    "Chidi Clara Daria Davor Dilara Dina Edda Eero Elif Emeka Enzo Esther Farid Fatima Felix Fiona Frida Gabor Gerda "
    "Goran Greta Hakan Hana Hedda Helio Henrik Ida Ilka Imani Ines Ingrid Ismail Ivo Jana Jasper Joana Jonas Jorun "
    "Kaito Karim Katya Kemal Kofi Laila Lars Leonie Levi Linnea Luca Lucia Magda Malik Mara Marek Marta Mateo Mei "
    "Milan Mina Nadia Naoko Nils Noor Odile Olga Omar Oskar Paola Pavel Petra Pia Priya Quentin Rafael Rana Ravi "
    "Renate Rosa Ruben Sabine Saga Samir Selma Sergei Signe Silas Sofia Stellan Sunita Tamar Tarek Teodor Thea Tilda "
    "Tomas Ulla Uma Vera Viktor Wanda Willem Yara Yusuf Zainab Zora"
).split()
FAMILY = (
    "Abadi Adler Ahlgren Almeida Amadi Bakker Balogun Barros Bauer Becker Bergstrom Bianchi Boateng Castellan Cerny "
    "Chandra Costa Dahl Demir Dietz Duarte Eklund Engel Eriksen Farkas Ferrante Fischer Fontaine Fuchs Garcia Gruber "
    "Haddad Hagen Halvorsen Hansen Haruna Horvat Ibsen Ito Ivanov Jansen Jokinen Kaplan Karlsen Kaya Keller Kimura "
    "Klein Kovac Kowalski Kruger Laine Lambert Larsen Lehmann Lindqvist Lopes Madsen Mansour Martel Mbeki Mendes "
    "Moreau Mori Nakagawa Navarro Nemeth Nguyen Nilsen Novak Nwosu Okafor Olsen Oyelaran Palmer Park Pereira Petrov "
    "Popescu Quist Rahman Ramos Reyes Ricci Rossi Sato Schmidt Silva Singh Soto Steiner Strand Svoboda Szabo Takeda "
    "Tanaka Thorne Toure Uchida Ulrich Vargas Vasquez Vidal Virtanen Vogel Wagner Weber Winther Yilmaz Zhang Zimmer"
).split()
_FIRST_PART = (
    "Alder Amber Ash Bel Birk Bram Breck Cal Carn Dal Dun Elder Elm Fal Fen Fern Gal Glen Grim Hal Hart Hazel Holm "
    "Ink Jor Kes Kil Lang Lark Lin Lun Mar Mel Mor Nor Oak Orm Oster Pen Quarn Rav Rose Sal Sel Skar Sol Stan Tarn "
    "Thorn Ulm Val Ved West Wil Yar"
).split()
_LAST_PART = (
    "beck berg bridge burn by dale den ey field ford gate grove ham haven holt hurst land leigh ley mere minster moor "
    "mouth nes ridge sand stad stead stow ton vale vik wall water wick wood worth"
).split()
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def make_names(chance: Chance, names: Names, count: int) -> list[str]:
    """Return proper names; of people a few may share theirs.

    Args:
        chance: decides them.
        names: how they are made.
        count: how many; a list may hold fewer.
    """
    if isinstance(names, Listed):
        return chance.sample(names.names, count)
    found: dict[str, None] = {}
    while len(found) < count:
        found.setdefault(_make(chance, names))
    result = list(found)
    if isinstance(names, People) and count >= 12:
        for _ in range(chance.between(0, 2)):
            result[chance.below(count)] = result[chance.below(count)]
    return result


def _make(chance: Chance, names: People | Places | Codes | Made) -> str:
    match names:
        case People():
            return f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
        case Places():
            return f"{chance.choice(_FIRST_PART)}{chance.choice(_LAST_PART)}"
        case Codes(pattern):
            return "".join(_code_character(chance, character) for character in pattern)
        case Made(parts):
            return " ".join(filter(None, (chance.choice(part) for part in parts)))


def _code_character(chance: Chance, character: str) -> str:
    if character == "#":
        return str(chance.below(10))
    return chance.choice(_LETTERS) if character == "@" else character
