"""The words of the demo world: categories, and words that belong to several of them."""

# Words in capitals mean one thing in one category and another thing elsewhere: a pot of a gardener, a pot of a cook.
CATEGORIES: dict[str, str] = {
    "garden": "POT SPRING PALM BULB BED SEED fern moss trellis compost terrace ivy SHED BORDER SQUASH rake PLOT MINT",
    "kitchen": "POT STOCK MINT DATE ROLL SQUASH whisk skillet broth RANGE SPRING dough glaze apron COUNTER simmer GRILL",
    "birds": "CRANE SWALLOW BILL PERCH robin heron feather nest KITE MARTIN wren PALM DUCK finch TURKEY plumage flock",
    "building": "CRANE BEAM PLOT SHED gravel brick NAIL PLASTER BOLT scaffold TRUSS mortar FILE joist RANGE LEVEL crew",
    "music": "BASS ORGAN SCALE KEY chord ROLL DRUM violin melody choir TRUMPET tempo RECORD lyric PITCH BAND amp",
    "fishing": "BASS SCALE PERCH rod REEL lure PITCH trout FLY tackle BANK river DOCK SEAL angler creel hook",
    "sewing": "PATTERN NEEDLE SCALE thread BOLT hem PIN quilt BUTTON linen REEL TRIM felt BORDER cotton pleat SEAM",
    "winter": "PITCH SEAL BOARD frost ski sled cabin scarf RANGE POLE LODGE mitten BANK glove alpine SLOPE LIFT",
    "camping": "PITCH POLE lantern trail PINE canoe SPRING FLY compass RANGE BED ember hammock LODGE BOOT stove pack",
    "fashion": "PUMP BOOT TIE velvet BUTTON TRUNK JUMPER collar denim BAND lace PATTERN RUFF cuff SUIT blouse HEEL",
    "sports": "BAT PITCH COURT MATCH sprint LEAGUE TIE helmet goal SQUASH BOARD relay COACH medal racket DRAFT SUIT",
    "wildlife": "BAT SEAL JAGUAR MOLE TRUNK den fox MINK antler BARK otter hoof HORN savanna POLE pelt CUB",
    "cars": "JAGUAR TRUNK BOOT COACH HORN JUMPER chrome diesel CLUTCH garage PUMP exhaust RACK tire BOLT DRAFT HATCH",
    "office": "FILE DRAFT RECORD PIN notebook BOARD STOCK MOUSE DESK planner RULER MINUTE stapler BILL COUNTER calendar",
    "computers": "MOUSE KEY FILE BUG TABLET CHIP pixel MONITOR server HATCH cache BYTE BOARD script PORT modem LOG",
    "harbor": "PORT DOCK LOG SEAL BOW ANCHOR buoy sail mast HATCH CRANE BEAM pier tide ferry KNOT DECK",
    "baking": "ROLL DATE TART BATTER crumb yeast CHIP icing LAYER cocoa BOMB frosting PEEL flour RACK GLAZE SPONGE",
    "crafts": "KNOT BOW FELT GLAZE kiln clay LOOM bead PUNCH weave TABLET resin NEEDLE stencil MOLD easel LAYER",
    "party": "PUNCH BAND BOW candle confetti TOAST balloon BALL ribbon GUEST cocktail DATE garland sparkler CRACKER TART",
    "travel": "COACH PORT TABLET TRUNK passport POST suburb COURT harbor LODGE BALL souvenir BANK ticket DECK market LIFT",
}

ROOMS = "sunny tiny vintage modern rustic cozy bright handmade quiet bold simple classic fresh nordic coastal".split()
TAILS = "ideas inspiration for later to try love someday dream weekend favorites collection mood board list".split()


def words_of(category: str) -> list[str]:
    """The words of a category, lower case."""
    return CATEGORIES[category].lower().split()
