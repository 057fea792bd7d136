//! Loops: a model that repeats itself is caught while it does so.

/// Tokens of the longest phrase whose repetition is looked for.
const LONGEST_PHRASE: usize = 24;

/// Times that a phrase of `length` tokens must stand in a row to be a loop. People do say a word five times,
/// but no sentence four times.
fn repeats_of_a_loop(length: usize) -> usize {
    match length {
        1 => 10,
        2..=4 => 6,
        _ => 4,
    }
}

/// How many of `tokens` to keep where they end in a loop: all up to the end of its first round.
pub fn loop_start(tokens: &[u32]) -> Option<usize> {
    let length = (1..=LONGEST_PHRASE).find(|&length| {
        let Some(start) = tokens.len().checked_sub(length * repeats_of_a_loop(length)) else {
            return false;
        };
        let phrase = &tokens[tokens.len() - length..];
        tokens[start..].chunks_exact(length).all(|repeat| repeat == phrase)
    })?;
    let repeats = |end: usize| tokens[end - 2 * length..end - length] == tokens[end - length..end];
    let mut end = tokens.len();
    while end >= 2 * length && repeats(end) {
        end -= length;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_loops_and_spares_speech() {
        struct Case {
            tokens: Vec<u32>,
            kept: Option<usize>,
        }
        let cases = [
            Case { tokens: vec![], kept: None },
            Case { tokens: vec![7; 9], kept: None },
            Case { tokens: vec![7; 10], kept: Some(1) },
            Case { tokens: [1, 2, 3].repeat(5), kept: None },
            Case { tokens: [1, 2, 3].repeat(6), kept: Some(3) },
            Case { tokens: [vec![9, 8], [1, 2, 3].repeat(7)].concat(), kept: Some(5) },
            Case { tokens: (0..12).collect::<Vec<_>>().repeat(4), kept: Some(12) },
            Case { tokens: (0..200).collect(), kept: None },
        ];
        for Case { tokens, kept } in cases {
            assert_eq!(loop_start(&tokens), kept, "{tokens:?}");
        }
    }
}
