//! Which valid key somebody may have meant.

/// The candidate that takes the fewest changes of letters, if they are few for its length.
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    // No key is longer than some forty letters: more than that is not a slip, and is not worth
    // the time that a comparison takes.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    candidates
        .iter()
        .map(|candidate| (distance(&word, &candidate.to_ascii_lowercase()), *candidate))
        .min()
        .filter(|(changes, candidate)| *changes <= 1 + candidate.len() / 4)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, over bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let keys = ["rule", "ruleSyntax", "entryPoints", "service", "tls"];
        for (word, meant) in [
            ("rool", None),
            ("rul", Some("rule")),
            ("RULES", Some("rule")),
            ("entrypoint", Some("entryPoints")),
            ("entriepoints", Some("entryPoints")),
            ("servcie", Some("service")),
            ("loadbalancer", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(nearest(word, &keys), meant, "{word}");
        }
    }
}
