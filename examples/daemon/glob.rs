//! Patterns of KEYS and CONFIG GET: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` before a byte that stands for itself.

/// Whether the whole text matches. Takes at most as many steps as the product of the two lengths.
pub(crate) fn matches(mut pattern: &[u8], mut text: &[u8]) -> bool {
    // What stands behind the last star, and the text from where that star ends for now.
    let mut retry = None;
    while let Some((byte, rest)) = text.split_first() {
        if let Some(behind) = pattern.strip_prefix(b"*") {
            (pattern, retry) = (behind, Some((behind, text)));
        } else if let Some(behind) = one(pattern, *byte) {
            (pattern, text) = (behind, rest);
        } else if let Some((behind, from)) = retry {
            (pattern, text, retry) = (behind, &from[1..], Some((behind, &from[1..])));
        } else {
            return false;
        }
    }
    pattern.iter().all(|byte| *byte == b'*')
}

/// What is left of the pattern when its first part stands for this byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', b'^', class @ ..] => in_class(class, byte).and_then(|(found, rest)| (!found).then_some(rest)),
        [b'[', class @ ..] => in_class(class, byte).and_then(|(found, rest)| found.then_some(rest)),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// Whether the byte is in a class, and what follows the class, if that ends.
fn in_class(mut class: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let mut found = false;
    loop {
        class = match class {
            [] => return None,
            [b']', rest @ ..] => return Some((found, rest)),
            [low, b'-', high, rest @ ..] if *high != b']' => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                rest
            }
            [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
        };
    }
}
