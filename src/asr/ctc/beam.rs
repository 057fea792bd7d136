//! Prefix beam search: the most probable text, over all the paths that spell it (Graves 2012; Hannun et al. 2014), with a
//! language model and hot-words where there are any.

use std::collections::HashMap;

use super::align::align;
use super::spelling::{Spelled, SpelledToken};
use super::{History, LanguageModel, LogProbabilities, Vocabulary};

/// How wide the search is. The defaults are those of pyctcdecode.
#[derive(Debug, Clone, PartialEq)]
pub struct BeamOptions {
    /// Texts kept from one frame to the next.
    pub width: usize,
    /// Tokens less probable than this, as a natural logarithm, are not tried, but for the best of a frame.
    pub least_token: f32,
    /// Texts whose score is so much below the best one's are dropped.
    pub spread: f32,
}

impl Default for BeamOptions {
    fn default() -> Self {
        Self { width: 100, least_token: -5.0, spread: 10.0 }
    }
}

/// How much what else is known counts beside the network. The defaults are those of pyctcdecode.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Of the language model's logarithms.
    pub language_model: f32,
    /// Added for each word, against the language model's liking for few.
    pub insertion: f32,
    /// Added for each word that the language model does not know.
    pub unknown: f32,
    /// Added for each hot-word, and in part for a word that begins as one.
    pub hotword: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { language_model: 0.5, insertion: 1.5, unknown: -10.0, hotword: 10.0 }
    }
}

/// A search with what it knows of the language.
#[derive(Debug, Default)]
pub struct BeamSearch {
    options: BeamOptions,
    weights: Weights,
    model: Option<LanguageModel>,
    hotwords: Vec<String>,
}

/// A text, as one token after another text.
struct Node {
    parent: usize,
    token: u32,
    /// The word that has begun.
    word: String,
    history: History,
    /// What words that have ended add.
    known: f32,
    /// What the word that has begun adds for now.
    hoped: f32,
}

/// Logarithms of the probability of all paths so far that spell a text.
#[derive(Debug, Clone, Copy)]
struct Paths {
    blank: f32,
    token: f32,
}

impl Default for Paths {
    fn default() -> Self {
        Self { blank: f32::NEG_INFINITY, token: f32::NEG_INFINITY }
    }
}

impl Paths {
    fn sum(self) -> f32 {
        log_add(self.blank, self.token)
    }
}

const ROOT: usize = 0;

impl BeamSearch {
    /// A search without a language model.
    pub fn new(options: BeamOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The same with other weights of what else is known.
    pub fn weighing(self, weights: Weights) -> Self {
        Self { weights, ..self }
    }

    /// The same with a language model of words.
    pub fn with_model(self, model: LanguageModel) -> Self {
        Self { model: Some(model), ..self }
    }

    /// The same with words that are expected.
    pub fn with_hotwords(mut self, words: impl IntoIterator<Item = String>) -> Self {
        self.hotwords = words.into_iter().filter(|word| !word.is_empty()).collect();
        self
    }

    /// The best text.
    pub fn decode(&self, probabilities: &LogProbabilities, vocabulary: &Vocabulary) -> Spelled {
        let history = self.model.as_ref().map_or_else(History::default, LanguageModel::start);
        let root = Node {
            parent: ROOT,
            token: vocabulary.blank(),
            word: String::new(),
            history,
            known: 0.0,
            hoped: 0.0,
        };
        let mut texts = Texts { nodes: vec![root], children: HashMap::new() };
        let mut beams = vec![(ROOT, Paths { blank: 0.0, token: f32::NEG_INFINITY })];
        for frame in 0..probabilities.frames() {
            beams = self.step(probabilities, frame, vocabulary, &beams, &mut texts);
        }
        let Some((text, score)) = self.best(&beams, &texts, vocabulary) else { return Spelled::default() };
        let tokens = texts.tokens(text);
        // The paths of a text that was kept include one that spells it.
        let spelled: Vec<SpelledToken> =
            align(probabilities, &tokens, vocabulary.blank()).unwrap_or_default();
        Spelled::new(spelled, vocabulary, score)
    }

    fn step(
        &self,
        probabilities: &LogProbabilities,
        frame: usize,
        vocabulary: &Vocabulary,
        beams: &[(usize, Paths)],
        texts: &mut Texts,
    ) -> Vec<(usize, Paths)> {
        let row = probabilities.frame(frame);
        let (best, _) = probabilities.best(frame);
        let tried: Vec<u32> = (0..row.len() as u32)
            .filter(|&token| token == best || row[token as usize] >= self.options.least_token)
            .collect();
        let mut next: Vec<(usize, Paths)> = Vec::with_capacity(beams.len() * 2);
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut paths_of = |next: &mut Vec<(usize, Paths)>, text: usize| {
            *places.entry(text).or_insert_with(|| {
                next.push((text, Paths::default()));
                next.len() - 1
            })
        };
        for &(text, paths) in beams {
            for &token in &tried {
                let probability = row[token as usize];
                if !vocabulary.is_text(token) {
                    // Special tokens part a token from its like, as the blank does.
                    let place = paths_of(&mut next, text);
                    next[place].1.blank = log_add(next[place].1.blank, paths.sum() + probability);
                    continue;
                }
                let repeats = text != ROOT && texts.nodes[text].token == token;
                if vocabulary.delimiter() == Some(token) && (repeats || text == ROOT) {
                    // A delimiter where no word has begun ends none, so the text is the same.
                    let place = paths_of(&mut next, text);
                    next[place].1.token = log_add(next[place].1.token, paths.sum() + probability);
                    continue;
                }
                if repeats {
                    let place = paths_of(&mut next, text);
                    next[place].1.token = log_add(next[place].1.token, paths.token + probability);
                }
                let before = if repeats { paths.blank } else { paths.sum() };
                if before > f32::NEG_INFINITY {
                    let longer = texts.after(text, token, |parent| self.spell(parent, token, vocabulary));
                    let place = paths_of(&mut next, longer);
                    next[place].1.token = log_add(next[place].1.token, before + probability);
                }
            }
        }
        let score = |&(text, paths): &(usize, Paths)| {
            let node = &texts.nodes[text];
            paths.sum() + node.known + node.hoped
        };
        let most = next.iter().map(score).fold(f32::NEG_INFINITY, f32::max);
        next.retain(|beam| score(beam) >= most - self.options.spread);
        next.sort_by(|a, b| score(b).total_cmp(&score(a)));
        next.truncate(self.options.width.max(1));
        next
    }

    /// The best text at the end, where one with a delimiter after its last word is the same as without.
    fn best(&self, beams: &[(usize, Paths)], texts: &Texts, vocabulary: &Vocabulary) -> Option<(usize, f32)> {
        let words = |text: usize| match &texts.nodes[text] {
            node if vocabulary.delimiter() == Some(node.token) => node.parent,
            _ => text,
        };
        let mut sums: HashMap<usize, f32> = HashMap::new();
        for &(text, paths) in beams {
            let sum = sums.entry(words(text)).or_insert(f32::NEG_INFINITY);
            *sum = log_add(*sum, paths.sum());
        }
        let score = |text: usize| sums[&words(text)] + self.at_end(&texts.nodes[text]);
        // Of equals the last is taken, and the most probable comes first.
        let ended = beams.iter().rev().map(|&(text, _)| (text, score(text)));
        ended.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// What a token after `parent` makes of the word that has begun, the history, and what is added.
    fn spell(&self, parent: &Node, token: u32, vocabulary: &Vocabulary) -> (String, History, f32, f32) {
        if vocabulary.delimiter() != Some(token) {
            let word = format!("{}{}", parent.word, vocabulary.spelling(token));
            let hoped = self.hope(&word);
            return (word, parent.history.clone(), parent.known, hoped);
        }
        let (added, history) = self.word(&parent.word, &parent.history);
        (String::new(), history, parent.known + added, 0.0)
    }

    /// What a whole word adds.
    fn word(&self, word: &str, history: &History) -> (f32, History) {
        if word.is_empty() {
            return (0.0, history.clone());
        }
        let hot =
            if self.hotwords.iter().any(|hotword| hotword == word) { self.weights.hotword } else { 0.0 };
        let Some(model) = &self.model else { return (hot, History::default()) };
        let (score, history) = model.score(history, word);
        let unknown = if model.knows(word) { 0.0 } else { self.weights.unknown };
        (hot + self.weights.language_model * score + self.weights.insertion + unknown, history)
    }

    /// What a word that has begun adds: a share for the shortest hot-word that begins so.
    fn hope(&self, begun: &str) -> f32 {
        let length = |word: &str| word.chars().count() as f32;
        let hotwords = self.hotwords.iter().filter(|hotword| hotword.starts_with(begun));
        let shortest = hotwords.map(|hotword| length(hotword)).fold(f32::INFINITY, f32::min);
        self.weights.hotword * length(begun) / shortest
    }

    /// What ended and begun words add, and the end of the sentence.
    fn at_end(&self, node: &Node) -> f32 {
        let (added, history) = self.word(&node.word, &node.history);
        let end = match &self.model {
            Some(model) if model.knows("</s>") => {
                self.weights.language_model * model.score(&history, "</s>").0
            }
            _ => 0.0,
        };
        node.known + added + end
    }
}

/// All texts that were tried, as a tree.
struct Texts {
    nodes: Vec<Node>,
    children: HashMap<(usize, u32), usize>,
}

impl Texts {
    /// The text of `parent` and `token`.
    fn after(
        &mut self,
        parent: usize,
        token: u32,
        spell: impl FnOnce(&Node) -> (String, History, f32, f32),
    ) -> usize {
        if let Some(&known) = self.children.get(&(parent, token)) {
            return known;
        }
        let (word, history, known, hoped) = spell(&self.nodes[parent]);
        self.nodes.push(Node { parent, token, word, history, known, hoped });
        self.children.insert((parent, token), self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn tokens(&self, mut text: usize) -> Vec<u32> {
        let mut tokens = Vec::new();
        while text != ROOT {
            tokens.push(self.nodes[text].token);
            text = self.nodes[text].parent;
        }
        tokens.reverse();
        tokens
    }
}

fn log_add(a: f32, b: f32) -> f32 {
    let (most, least) = (a.max(b), a.min(b));
    match least == f32::NEG_INFINITY {
        true => most,
        false => most + (least - most).exp().ln_1p(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{likely, vocabulary};
    use super::*;
    use proptest::prelude::*;

    fn model(arpa: &str) -> LanguageModel {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), arpa).unwrap();
        LanguageModel::read(file.path()).unwrap()
    }

    /// The probability of each text over all paths, by trying all.
    fn exhaustive(probabilities: &LogProbabilities, vocabulary: &Vocabulary) -> Vec<(String, f64)> {
        let (frames, tokens) = (probabilities.frames(), probabilities.tokens());
        let mut texts: HashMap<Vec<u32>, f64> = HashMap::new();
        for path in 0..tokens.pow(frames as u32) {
            let symbols: Vec<u32> =
                (0..frames).map(|frame| (path / tokens.pow(frame as u32) % tokens) as u32).collect();
            let probability: f64 = symbols
                .iter()
                .enumerate()
                .map(|(frame, &s)| f64::from(probabilities.frame(frame)[s as usize]))
                .sum();
            let mut text = symbols.clone();
            text.dedup();
            text.retain(|&token| vocabulary.is_text(token));
            let words = text.split(|&token| vocabulary.delimiter() == Some(token));
            let words: Vec<&[u32]> = words.filter(|word| !word.is_empty()).collect();
            let text = words.join(&1);
            *texts.entry(text).or_default() += probability.exp();
        }
        let spell = |tokens: &[u32]| tokens.iter().map(|token| format!("{token} ")).collect();
        let mut texts: Vec<(String, f64)> = texts.iter().map(|(text, p)| (spell(text), *p)).collect();
        texts.sort_by(|a, b| b.1.total_cmp(&a.1));
        texts
    }

    proptest! {
        #[test]
        fn a_wide_beam_finds_the_most_probable_text(logits in prop::collection::vec(-3.0f32..3.0, 20)) {
            let probabilities = LogProbabilities::new(logits, 4);
            let vocabulary = Vocabulary::from_tokens(&["<pad>", "|", "a", "b"], 0);
            let wide = BeamOptions { width: 10_000, least_token: -1e9, spread: 1e9 };
            let found = BeamSearch::new(wide).decode(&probabilities, &vocabulary);
            let expected = exhaustive(&probabilities, &vocabulary);
            prop_assert!((f64::from(found.score).exp() - expected[0].1).abs() < 1e-4 * expected[0].1);
        }
    }

    #[test]
    fn many_paths_of_one_text_outweigh_the_best_path_of_another() {
        // The best path is two blanks (0.36); "a" has three (0.24 + 0.24 + 0.16).
        let row = [0.6f32, 0.4].map(f32::ln);
        let probabilities = LogProbabilities::new([row, row].concat(), 2);
        let vocabulary = Vocabulary::from_tokens(&["<pad>", "a"], 0);
        assert_eq!(super::super::greedy(&probabilities, &vocabulary).text, "");
        let found = BeamSearch::default().decode(&probabilities, &vocabulary);
        assert_eq!((found.text.as_str(), (found.score.exp() * 100.0).round()), ("a", 64.0));
    }

    /// "|a", "a|" and "a" are one text, and so are "a|b" and "a||b": their probabilities add up.
    #[test]
    fn delimiters_that_end_no_word_part_no_text_from_its_like() {
        let frame = |delimiter: f32, a: f32, b: f32| {
            [1.0 - delimiter - a - b, delimiter, a, b].map(|x| x.max(1e-9).ln())
        };
        struct Case {
            name: &'static str,
            frames: Vec<[f32; 4]>,
            text: &'static str,
            score: f32,
        }
        let cases = [
            Case {
                name: "at the end",
                frames: vec![frame(0.0, 0.6, 0.4), frame(0.5, 0.0, 0.0)],
                text: "a",
                score: 0.6,
            },
            Case {
                name: "at the start",
                frames: vec![frame(0.5, 0.0, 0.0), frame(0.0, 0.6, 0.4)],
                text: "a",
                score: 0.6,
            },
            Case {
                name: "twice",
                frames: vec![
                    frame(0.0, 1.0, 0.0),
                    frame(1.0, 0.0, 0.0),
                    frame(0.0, 0.0, 0.4),
                    frame(0.6, 0.0, 0.0),
                    frame(0.0, 0.0, 1.0),
                ],
                text: "a b",
                score: 0.6,
            },
        ];
        let vocabulary = Vocabulary::from_tokens(&["<pad>", "|", "a", "b"], 0);
        for case in cases {
            let found =
                BeamSearch::default().decode(&LogProbabilities::new(case.frames.concat(), 4), &vocabulary);
            assert_eq!(found.text, case.text, "{}", case.name);
            assert!((found.score.exp() - case.score).abs() < 1e-3, "{}: {}", case.name, found.score.exp());
        }
    }

    #[test]
    fn clear_speech_is_as_greedy_hears_it() {
        let probabilities = likely("__aab_b|_cc_");
        let found = BeamSearch::default().decode(&probabilities, &vocabulary());
        let greedy = super::super::greedy(&probabilities, &vocabulary());
        assert_eq!((found.text, found.words), (greedy.text, greedy.words));
    }

    #[test]
    fn a_language_model_and_hot_words_decide_what_is_in_doubt() {
        let row = |a: f32, b: f32| [0.02, 0.02, a, b, 0.02f32].map(f32::ln);
        let rows = [row(0.45, 0.49), [0.9, 0.025, 0.025, 0.025, 0.025f32].map(f32::ln)].concat();
        let probabilities = LogProbabilities::new(rows, 5);
        let text = |search: BeamSearch| search.decode(&probabilities, &vocabulary()).text;
        assert_eq!(text(BeamSearch::default()), "b");
        let arpa = "\\data\\\n\\1-grams:\n-2\t<unk>\n-1\t<s>\n-1\t</s>\n-0.5\ta\n-1.5\tb\n\\end\\\n";
        assert_eq!(text(BeamSearch::default().with_model(model(arpa))), "a");
        assert_eq!(text(BeamSearch::default().with_hotwords(["a".to_owned()])), "a");
    }
}
