"""Numbers as people read them: three significant digits and a unit."""

KIB = 1024.0


def significant(value, digits=3):
    """1234.5 -> "1234", 12.345 -> "12.3", 0.12345 -> "0.123": never an exponent, no digits that mean nothing."""
    if value == 0:
        return "0"
    size = abs(value)
    decimals = 0
    while size < 10 ** (digits - 1) and decimals < 12:
        size *= 10
        decimals += 1
    text = f"{value:.{decimals}f}"
    if "." in text and len(text.replace(".", "").lstrip("-0")) > digits:
        text = text[:-1].rstrip(".")  # 9.996 was rounded to 10.00
    return text


def scaled(value, steps, step=1000.0):
    """The value in the largest of the units (smallest first) in which it is at least 1."""
    for unit in steps[:-1]:
        if abs(value) < step * 0.9995:
            return f"{significant(value)} {unit}"
        value /= step
    return f"{significant(value)} {steps[-1]}"


def nanoseconds(value):
    if value is None:
        return "-"
    if abs(value) < 1e12:
        return scaled(value, ("ns", "us", "ms", "s"))
    return f"{value / 1e9:.0f} s"


def seconds(value):
    return "-" if value is None else nanoseconds(value * 1e9)


def size(value):
    return "-" if value is None else scaled(value, ("B", "KiB", "MiB", "GiB", "TiB"), KIB)


def rate(value):
    return "-" if value is None else scaled(value, ("/s", "K/s", "M/s", "G/s"))


def count(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if value < 10000 else scaled(value, ("", "K", "M", "G")).replace(" ", "")


def times(value):
    return "-" if value is None else f"{significant(value)}x"


def share(value):
    return "-" if value is None else f"{100 * value:.1f} %"


def plural(number, word):
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
