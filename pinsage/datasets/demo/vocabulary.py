"""The words of the demo world. Sister categories use the same words for different things: a pot, a crane, a key."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Four sister categories and the words that all of them use, each in a sense of its own."""

    categories: tuple[str, str, str, str]
    words: tuple[str, ...]


FAMILIES = (
    Family(
        ("kitchen", "garden", "crafts", "baking"),
        ("pot", "mint", "spring", "glaze", "mold", "roll", "date", "press", "sage", "plate", "rack", "batch"),
    ),
    Family(
        ("birds", "building", "harbor", "fishing"),
        ("crane", "bill", "beam", "swallow", "perch", "bank", "reel", "dock", "pitch", "log", "scale", "bass"),
    ),
    Family(
        ("music", "office", "computers", "party"),
        ("record", "key", "note", "file", "band", "punch", "chip", "mouse", "sheet", "bar", "jam", "organ"),
    ),
    Family(
        ("fashion", "cars", "sports", "camping"),
        ("pump", "boot", "trunk", "coach", "tie", "jumper", "match", "bat", "jack", "belt", "clutch", "pole"),
    ),
    Family(
        ("wildlife", "winter", "travel", "sewing"),
        ("seal", "coat", "patch", "trail", "needle", "pass", "tail", "pack", "palm", "cape", "jaguar", "range"),
    ),
)
CATEGORIES = tuple(category for family in FAMILIES for category in family.categories)
STYLES = ("pale", "airy", "soft", "fresh", "bright", "bold", "deep", "dark")  # from the lightest to the darkest
USES = ("the weekend", "small rooms", "beginners", "friends", "rainy days", "summer", "the season", "every day")
TITLES = (
    "{style} {first} and {second}",
    "{first} with {second}, {style}",
    "My {style} {first} for {use}",
    "{first}, {second} and {third}",
    "{style} {second} for {use}",
    "The {first} we love",
)
BOARD_TITLES = (
    "{category}: {first} and {second}",
    "{style} {category} ideas",
    "My {category} board",
    "{first} for {use}",
    "{category}, {first}, {style}",
    "{style} {first} to try",
)
