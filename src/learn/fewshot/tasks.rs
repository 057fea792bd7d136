//! Tasks: a few examples of each class of a language to learn from, and others, of other groups, to be tested with.

use super::super::dataset::{By, Dataset};
use crate::{Error, Result};

/// Shuffles of the groups that are tried before a language is taken to have too few.
const MOST_DRAWS: usize = 100;

/// How many examples a task has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shots {
    /// Of each class to learn from.
    pub support: usize,
    /// Of each class to be tested with, at most.
    pub query: usize,
}

/// Rows of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The language.
    pub language: String,
    /// Rows to learn from, as many of each class.
    pub support: Vec<usize>,
    /// Rows of other groups to be tested with.
    pub query: Vec<usize>,
}

/// Draws tasks.
#[derive(Debug, Clone)]
pub struct Tasks {
    labels: Vec<usize>,
    classes: usize,
    shots: Shots,
    languages: Vec<Language>,
}

#[derive(Debug, Clone)]
struct Language {
    name: String,
    /// The rows of each group.
    groups: Vec<Vec<usize>>,
}

impl Tasks {
    /// Tasks of `languages`. Where speakers are unknown, give every example a group of its own.
    ///
    /// # Errors
    /// [`Error::Setting`] where a number of shots is 0, there are no languages, or a language has no example.
    pub fn new(dataset: &Dataset, shots: Shots, languages: &[&str]) -> Result<Self> {
        if shots.support == 0 || shots.query == 0 || languages.is_empty() {
            return Err(Error::Setting(
                "a task needs a language, and an example to learn from and to test with".into(),
            ));
        }
        let languages =
            languages.iter().map(|name| Language::of(dataset, name)).collect::<Result<Vec<_>>>()?;
        Ok(Self { labels: dataset.labels().to_vec(), classes: dataset.classes(), shots, languages })
    }

    /// A task of a language drawn at random.
    ///
    /// # Errors
    /// [`Error::Setting`] where the language has too few examples of a class in groups apart.
    pub fn draw(&self, random: &mut fastrand::Rng) -> Result<Task> {
        let language = &self.languages[random.usize(..self.languages.len())];
        for _ in 0..MOST_DRAWS {
            if let Some((support, query)) = self.cut(language, random) {
                return Ok(Task { language: language.name.clone(), support, query });
            }
        }
        Err(Error::Setting(format!(
            "{} has too few speakers for {} examples of each class to learn from and others, of other speakers, to test \
             with; use fewer",
            language.name, self.shots.support
        )))
    }

    /// Takes groups until every class has its support, and tests with the rest.
    fn cut(&self, language: &Language, random: &mut fastrand::Rng) -> Option<(Vec<usize>, Vec<usize>)> {
        let mut order: Vec<usize> = (0..language.groups.len()).collect();
        random.shuffle(&mut order);
        let mut support = vec![Vec::new(); self.classes];
        let mut query = vec![Vec::new(); self.classes];
        for group in order {
            let learnt = support.iter().all(|rows| rows.len() >= self.shots.support);
            let side = if learnt { &mut query } else { &mut support };
            language.groups[group].iter().for_each(|&row| side[self.labels[row]].push(row));
        }
        if support.iter().any(|rows| rows.len() < self.shots.support) || query.iter().any(Vec::is_empty) {
            return None;
        }
        let mut drawn = |classes: Vec<Vec<usize>>, most: usize| -> Vec<usize> {
            let mut some = |mut rows: Vec<usize>| {
                random.shuffle(&mut rows);
                rows.truncate(most);
                rows
            };
            classes.into_iter().flat_map(&mut some).collect()
        };
        Some((drawn(support, self.shots.support), drawn(query, self.shots.query)))
    }
}

impl Language {
    fn of(dataset: &Dataset, name: &str) -> Result<Self> {
        let (parts, names) = dataset.parts(By::Group);
        let mut groups = vec![Vec::new(); names.len()];
        for (row, part) in
            parts.into_iter().enumerate().filter(|&(row, _)| dataset.example(row).language == name)
        {
            groups[part].push(row);
        }
        groups.retain(|rows| !rows.is_empty());
        if groups.is_empty() {
            return Err(Error::Setting(format!("there is no example of the language {name}")));
        }
        Ok(Self { name: name.into(), groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::clouds;

    #[test]
    fn tasks_have_their_shots_of_one_language_and_groups_apart() {
        let dataset = clouds(300, 2, 3, 1.0, 1);
        let tasks = Tasks::new(&dataset, Shots { support: 4, query: 6 }, &["hi", "ta"]).unwrap();
        let mut random = fastrand::Rng::with_seed(2);
        let drawn: Vec<Task> = (0..40).map(|_| tasks.draw(&mut random).unwrap()).collect();
        for task in &drawn {
            let group = |row: &usize| &dataset.example(*row).group;
            assert!(
                task.support
                    .iter()
                    .chain(&task.query)
                    .all(|&row| dataset.example(row).language == task.language)
            );
            assert!(!task.support.iter().any(|a| task.query.iter().any(|b| group(a) == group(b))));
            assert_eq!(dataset.subset(&task.support).unwrap().class_counts(), [4; 3]);
            assert_eq!(dataset.subset(&task.query).unwrap().class_counts(), [6; 3]);
        }
        assert!(["hi", "ta"].iter().all(|name| drawn.iter().any(|task| task.language == *name)));
        let mut again = fastrand::Rng::with_seed(2);
        assert!(drawn.iter().all(|task| *task == tasks.draw(&mut again).unwrap()));
    }

    #[test]
    fn too_few_examples_are_refused() {
        let dataset = clouds(60, 2, 3, 1.0, 1);
        let refused = |support: usize, query: usize, languages: &[&str]| {
            let tasks = Tasks::new(&dataset, Shots { support, query }, languages);
            tasks.and_then(|tasks| tasks.draw(&mut fastrand::Rng::with_seed(1))).is_err()
        };
        assert!(
            refused(0, 1, &["hi"]) && refused(1, 0, &["hi"]) && refused(1, 1, &[]) && refused(1, 1, &["ur"])
        );
        assert!(refused(11, 1, &["hi"]) && !refused(2, 1, &["hi"]));
    }
}
