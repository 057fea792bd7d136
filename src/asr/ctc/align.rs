//! Where the tokens of a known text stand in time: the most probable path that spells it.

use super::LogProbabilities;
use super::spelling::SpelledToken;

/// The most probable frames of `tokens`, none of them `blank`; none where they cannot be spelled in so few frames.
pub fn align(probabilities: &LogProbabilities, tokens: &[u32], blank: u32) -> Option<Vec<SpelledToken>> {
    // A path goes through blank, token, blank, token ... blank; a token may follow on another without a blank between.
    let states = 2 * tokens.len() + 1;
    let symbol = |state: usize| if state % 2 == 1 { tokens[state / 2] } else { blank };
    let frames = probabilities.frames();
    let mut scores = vec![f32::NEG_INFINITY; states];
    // How many states back each frame's best path came from.
    let mut steps = vec![0u8; frames * states];
    for frame in 0..frames {
        let row = probabilities.frame(frame);
        let step = &mut steps[frame * states..(frame + 1) * states];
        for state in (0..states).rev() {
            let may_skip = state >= 3 && state % 2 == 1 && tokens[state / 2] != tokens[state / 2 - 1];
            let furthest = if may_skip { 2 } else { state.min(1) };
            let best = (0..=furthest).rev().max_by(|&a, &b| scores[state - a].total_cmp(&scores[state - b]));
            let back = best.unwrap_or(0);
            step[state] = back as u8;
            // Only the first blank and the first token begin a path.
            let before = match frame {
                0 if state <= 1 => 0.0,
                0 => f32::NEG_INFINITY,
                _ => scores[state - back],
            };
            scores[state] = before + row[symbol(state) as usize];
        }
    }
    let mut state = match states {
        1 => 0,
        _ if scores[states - 1] >= scores[states - 2] => states - 1,
        _ => states - 2,
    };
    if frames == 0 {
        return tokens.is_empty().then(Vec::new);
    }
    if scores[state] == f32::NEG_INFINITY {
        return None;
    }
    let mut found: Vec<SpelledToken> = Vec::with_capacity(tokens.len());
    for frame in (0..frames).rev() {
        if state % 2 == 1 {
            let probability = probabilities.frame(frame)[symbol(state) as usize].exp();
            let left = tokens.len() - state / 2;
            if found.len() < left {
                found.push(SpelledToken { token: symbol(state), frames: frame..frame + 1, probability });
            } else if let Some(token) = found.last_mut() {
                let length = token.frames.len() as f32;
                token.probability = (token.probability * length + probability) / (length + 1.0);
                token.frames.start = frame;
            }
        }
        state -= usize::from(steps[frame * states + state]).min(state);
    }
    found.reverse();
    (found.len() == tokens.len()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::tests::likely;
    use super::*;

    #[test]
    fn tokens_stand_where_they_are_probable() {
        let found = align(&likely("__aab_b_cc_"), &[2, 3, 3, 4], 0).unwrap();
        let frames: Vec<_> = found.iter().map(|token| token.frames.clone()).collect();
        assert_eq!(frames, [2..4, 4..5, 6..7, 8..10]);
        assert!(found.iter().all(|token| (0.89..0.91).contains(&token.probability)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(align(&likely("ab"), &[2, 3, 4], 0).is_none());
        // A blank must part one token from its like.
        assert!(align(&likely("bb"), &[3, 3], 0).is_none());
        assert!(align(&likely("b_b"), &[3, 3], 0).is_some());
        assert_eq!(align(&likely("__"), &[], 0), Some(vec![]));
        assert_eq!(align(&likely(""), &[], 0), Some(vec![]));
    }
}
