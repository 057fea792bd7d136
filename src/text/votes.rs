//! Tables in which several people judged each text, as those of Uli: Arora et al., "The Uli Dataset: An Exercise in
//! Experience Led Annotation of oGBV" (arXiv 2311.09086).
//!
//! A row has `text`, `key` and a column for each person, whose name begins with the code of the language (`hi_a1`): 1 for yes,
//! 0 for no, nothing where that person did not see it. There is a row for each question; the third, whether a text is explicit
//! or aggressive, is the one that means abuse here. The other two ask for whom it is gendered abuse.

use csv::StringRecord;

/// The question that means abuse.
const QUESTION: &str = "question_3";

/// The columns of such a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Votes {
    text: usize,
    key: usize,
    /// The code of the language.
    pub(super) language: String,
    people: Vec<usize>,
}

impl Votes {
    /// Those of `header`, where it is of such a table.
    pub(super) fn of(header: &StringRecord) -> Option<Self> {
        let column = |name: &str| header.iter().position(|cell| cell == name);
        let (text, key) = (column("text")?, column("key")?);
        let person = |cell: &str| {
            let (language, number) = cell.split_once("_a")?;
            number.parse::<u32>().ok().map(|_| language.to_owned())
        };
        let language = header.iter().find_map(person)?;
        let is_person = |cell: &str| person(cell).is_some_and(|other| other == language);
        let people = (0..header.len()).filter(|&at| is_person(&header[at])).collect();
        Some(Self { text, key, language, people })
    }

    /// The text of a row and whether at least half of those who saw it find it abusive; none where the row is about another
    /// question or nobody saw it.
    pub(super) fn judged<'a>(&self, row: &'a StringRecord) -> Option<(&'a str, bool)> {
        if row.get(self.key)? != QUESTION {
            return None;
        }
        let votes = self.people.iter().filter_map(|&at| row.get(at)?.trim().parse::<f32>().ok());
        let (mut seen, mut for_it) = (0, 0);
        for vote in votes {
            seen += 1;
            for_it += u32::from(vote > 0.5);
        }
        (seen > 0).then(|| Some((row.get(self.text)?, 2 * for_it >= seen)))?
    }
}
