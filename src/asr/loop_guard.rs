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

/// Length of the shortest phrase that `tokens` end in a loop of.
pub fn looping_phrase(tokens: &[u32]) -> Option<usize> {
    (1..=LONGEST_PHRASE).find(|&length| {
        let Some(start) = tokens.len().checked_sub(length * repeats_of_a_loop(length)) else {
            return false;
        };
        let phrase = &tokens[tokens.len() - length..];
        tokens[start..].chunks_exact(length).all(|repeat| repeat == phrase)
    })
}

/// `tokens` with a loop at their end cut to its first round.
pub fn cut_loop(tokens: &mut Vec<u32>) {
    let Some(length) = looping_phrase(tokens) else {
        return;
    };
    let mut end = tokens.len();
    while end >= 2 * length && tokens[end - 2 * length..end - length] == tokens[end - length..end] {
        end -= length;
    }
    tokens.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_loops_and_spares_speech() {
        struct Case {
            tokens: Vec<u32>,
            phrase: Option<usize>,
        }
        let cases = [
            Case { tokens: vec![], phrase: None },
            Case { tokens: vec![7; 9], phrase: None },
            Case { tokens: vec![7; 10], phrase: Some(1) },
            Case { tokens: [1, 2, 3].repeat(5), phrase: None },
            Case { tokens: [1, 2, 3].repeat(6), phrase: Some(3) },
            Case { tokens: (0..12).collect::<Vec<_>>().repeat(4), phrase: Some(12) },
            Case { tokens: (0..200).collect(), phrase: None },
        ];
        for Case { tokens, phrase } in cases {
            assert_eq!(looping_phrase(&tokens), phrase, "{tokens:?}");
        }
    }

    #[test]
    fn cuts_a_loop_to_one_round() {
        let mut tokens = vec![9, 8];
        tokens.extend([1, 2, 3].repeat(7));
        cut_loop(&mut tokens);
        assert_eq!(tokens, [9, 8, 1, 2, 3]);
    }
}
