//! N-gram language models in the ARPA format.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use crate::{Error, Result};

/// Probability that KenLM gives to words that a model without `<unk>` does not know, as a power of ten.
const UNKNOWN: f32 = -100.0;

/// Probabilities of words after those before them, with Katz's back-off.
#[derive(Debug)]
pub struct LanguageModel {
    words: HashMap<String, u32>,
    /// Of each n-gram, in words: natural logarithms of its probability and of its back-off weight.
    ngrams: HashMap<Box<[u32]>, (f32, f32)>,
    order: usize,
}

/// The words that the next one depends on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History(Vec<u32>);

impl LanguageModel {
    /// Reads an ARPA file, as KenLM's `lmplz` and SRILM write it.
    ///
    /// # Errors
    /// One that names the file and the line that is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_spelled(path, str::to_owned)
    }

    /// As [`read`](Self::read), with the words spelled as `spell` has them, so that they are found. Of words that become
    /// one, the more probable counts; what `spell` does not make one word of stays as it is.
    ///
    /// # Errors
    /// As there.
    pub fn read_spelled(path: &Path, spell: impl Fn(&str) -> String) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|error| Error::io(path, error))?;
        Self::parse(std::io::BufReader::new(file), spell)
            .map_err(|reason| Error::model(path.display().to_string(), format!("is no ARPA file: {reason}")))
    }

    fn parse(reader: impl BufRead, spell: impl Fn(&str) -> String) -> Result<Self, String> {
        let mut model = Self { words: HashMap::new(), ngrams: HashMap::new(), order: 0 };
        let mut numbers = HashMap::new();
        let (mut begun, mut ended) = (false, false);
        for (number, line) in reader.lines().enumerate() {
            let wrong = |what: &str| format!("line {}: {what}", number + 1);
            let line = line.map_err(|error| wrong(&error.to_string()))?;
            let line = line.trim();
            match line {
                "" => {}
                "\\data\\" => begun = true,
                "\\end\\" => {
                    ended = true;
                    break;
                }
                _ if !begun || line.starts_with("ngram ") => {}
                _ if line.starts_with('\\') => {
                    let order = line.trim_start_matches('\\').trim_end_matches("-grams:").parse::<usize>();
                    model.order = order
                        .ok()
                        .filter(|order| (1..=16).contains(order))
                        .ok_or_else(|| wrong("no order"))?;
                }
                _ if model.order == 0 => return Err(wrong("an n-gram before its order")),
                _ => model.add(line, &mut numbers, &spell).map_err(wrong)?,
            }
        }
        match ended && !model.ngrams.is_empty() {
            true => Ok(model),
            false => Err("it has no \\data\\, no n-grams or no \\end\\".into()),
        }
    }

    /// Adds the n-gram of a line. `numbers` has the words of the file that were met before.
    fn add(
        &mut self,
        line: &str,
        numbers: &mut HashMap<String, u32>,
        spell: impl Fn(&str) -> String,
    ) -> Result<(), &'static str> {
        let number = |field: &str| field.parse::<f32>().ok().filter(|x| !x.is_nan()).ok_or("not a number");
        let mut fields = line.split_whitespace();
        let probability = number(fields.next().ok_or("no probability")?)?;
        let mut ngram = Vec::with_capacity(self.order);
        for word in fields.by_ref().take(self.order) {
            let known = numbers.get(word).copied();
            ngram.push(known.unwrap_or_else(|| {
                let number = self.number(spelled(word, &spell));
                *numbers.entry(word.to_owned()).or_insert(number)
            }));
        }
        if ngram.len() < self.order {
            return Err("too few words");
        }
        let back_off = fields.next().map_or(Ok(0.0), number)?;
        let natural = |power: f32| power * std::f32::consts::LN_10;
        let new = (natural(probability), natural(back_off));
        let known = self.ngrams.entry(ngram.into()).or_insert(new);
        if new.0 > known.0 {
            *known = new;
        }
        Ok(())
    }

    fn number(&mut self, word: String) -> u32 {
        let next = self.words.len() as u32;
        *self.words.entry(word).or_insert(next)
    }

    /// The history at the beginning of a sentence.
    pub fn start(&self) -> History {
        History(self.words.get("<s>").copied().into_iter().collect())
    }

    /// Whether the model has `word`.
    pub fn knows(&self, word: &str) -> bool {
        self.words.contains_key(word)
    }

    /// Natural logarithm of the probability of `word` after `history`, and the history after it.
    pub fn score(&self, history: &History, word: &str) -> (f32, History) {
        let Some(word) = self.words.get(word).or_else(|| self.words.get("<unk>")).copied() else {
            return (UNKNOWN * std::f32::consts::LN_10, History::default());
        };
        let mut ngram: Vec<u32> = history.0.iter().copied().chain([word]).collect();
        let mut score = 0.0;
        let mut before: &[u32] = &history.0;
        loop {
            if let Some((probability, _)) = self.ngrams.get(&ngram[ngram.len() - before.len() - 1..]) {
                score += probability;
                break;
            }
            if before.is_empty() {
                score += UNKNOWN * std::f32::consts::LN_10;
                break;
            }
            score += self.ngrams.get(before).map_or(0.0, |(_, back_off)| *back_off);
            before = &before[1..];
        }
        let longest = ngram.len().saturating_sub(self.order - 1);
        (score, History(ngram.split_off(longest)))
    }
}

/// A word of a file as it is looked up.
fn spelled(word: &str, spell: impl Fn(&str) -> String) -> String {
    if ["<s>", "</s>", "<unk>"].contains(&word) {
        return word.to_owned();
    }
    let found = spell(word);
    let is_one = !found.is_empty() && !found.contains(' ');
    if is_one { found } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIGRAMS: &str = "\\data\\\nngram 1=5\nngram 2=2\n\n\\1-grams:\n-1.0\t<unk>\n-99\t<s>\t-0.5\n-0.7\t</s>\n\
                           -0.4\ta\t-0.3\n-0.6\tb\t-0.2\n\n\\2-grams:\n-0.1\t<s> a\n-0.2\ta b\n\n\\end\\\n";

    fn model() -> LanguageModel {
        LanguageModel::parse(BIGRAMS.as_bytes(), str::to_owned).unwrap()
    }

    fn powers(words: &str) -> Vec<f32> {
        let (model, mut scores) = (model(), Vec::new());
        let mut history = model.start();
        for word in words.split_whitespace() {
            let (score, next) = model.score(&history, word);
            scores.push((score / std::f32::consts::LN_10 * 100.0).round() / 100.0);
            history = next;
        }
        scores
    }

    #[test]
    fn words_without_an_n_gram_back_off() {
        assert_eq!(powers("a b a </s>"), [-0.1, -0.2, -0.6, -1.0]);
        assert_eq!(powers("b"), [-1.1]);
    }

    #[test]
    fn unknown_words_have_their_own_probability() {
        assert_eq!(powers("c"), [-1.5]);
        assert!(model().knows("a") && !model().knows("c"));
    }

    #[test]
    fn words_are_found_as_they_are_spelled() {
        let arpa = "\\data\\\n\\1-grams:\n-99\t<s>\n-1\tKafé,\n-0.5\tkafé\n-2\t--\n-3\twell-known\n\\end\\";
        let spell = |word: &str| super::super::normalise(word, "").to_uppercase();
        let model = LanguageModel::parse(arpa.as_bytes(), spell).unwrap();
        let known = ["<s>", "KAFÉ", "--", "well-known"];
        assert!(known.iter().all(|word| model.knows(word)) && !model.knows("kafé"));
        assert_eq!(model.score(&History::default(), "KAFÉ").0, -0.5 * std::f32::consts::LN_10);
    }

    #[test]
    fn damage_is_named_by_its_line() {
        for (text, reason) in [
            ("", "no \\data\\"),
            ("\\data\\\n\\1-grams:\nx\ta\n\\end\\", "line 3"),
            ("\\data\\\n\\2-grams:\n-1\ta\n\\end\\", "line 3"),
            ("\\data\\\n-1\ta\n\\end\\", "line 2"),
            ("\\data\\\n\\99-grams:\n", "line 2"),
            ("\\data\\\n\\1-grams:\n-1\ta\n", "\\end\\"),
        ] {
            let error = LanguageModel::parse(text.as_bytes(), str::to_owned).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
