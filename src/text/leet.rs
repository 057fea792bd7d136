//! Digits and signs that stand for letters inside words.

use super::normalise::Letter;

/// A lone digit before as many letters stands for one: "5hit", but not "1st" or "4g".
const LETTERS_AFTER_DIGIT: usize = 3;

/// Puts letters in place of what stands for them, word by word.
///
/// Words of Latin letters alone have such; and digits at the end count only where each could be a letter.
pub(super) fn unmask(letters: &mut [Letter]) {
    for word in letters.split_mut(|letter| !is_inside(letter.c)) {
        unmask_word(word);
    }
}

fn is_inside(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '$' | '!')
}

fn unmask_word(word: &mut [Letter]) {
    let is_letter = |letter: &Letter| letter.c.is_ascii_alphabetic();
    if word.iter().any(|letter| !letter.c.is_ascii()) {
        return;
    }
    let (Some(first), Some(last)) = (word.iter().position(is_letter), word.iter().rposition(is_letter))
    else {
        return;
    };
    let letters = word.iter().filter(|letter| is_letter(letter)).count();
    let (before, rest) = word.split_at_mut(first);
    let (inside, after) = rest.split_at_mut(last - first + 1);
    inside.iter_mut().for_each(replace);

    let digits = before.iter().filter(|letter| letter.c.is_ascii_digit()).count();
    if digits == 0 || digits == 1 && letters >= LETTERS_AFTER_DIGIT {
        before.iter_mut().filter(|letter| letter.c != '!').for_each(replace);
    }
    // An exclamation after a word is one.
    let end = after.iter().rposition(|letter| letter.c != '!').map_or(0, |at| at + 1);
    let after = &mut after[..end];
    if after.iter().all(|letter| meant(letter.c).is_some()) {
        after.iter_mut().for_each(replace);
    }
}

fn replace(letter: &mut Letter) {
    letter.c = meant(letter.c).unwrap_or(letter.c);
}

fn meant(c: char) -> Option<char> {
    Some(match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        _ => return None,
    })
}
