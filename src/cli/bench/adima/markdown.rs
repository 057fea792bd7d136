//! The report as text.

use super::few_shot::{FewShotRow, METHODS};
use super::figures::{Report, Scored, System};
use crate::cli::bench::heads::figures::{Percent, bracketed, cells};

pub const TITLE: &str = "Abuse in speech within and across languages";

/// A heading, which says of what is made up that it is.
pub fn titled(report: &Report, title: &str) -> String {
    if report.synthetic.is_some() { format!("{title} (synthetic)") } else { title.to_owned() }
}

/// The report in Markdown.
pub fn report(report: &Report) -> String {
    let mut text = format!("# {}\n\n", titled(report, TITLE));
    if let Some(made) = &report.synthetic {
        text += &format!(
            "SYNTHETIC: {made} Figures here are not of ADIMA and say nothing of how well abuse is told in it.\n\n"
        );
    }
    text += &format!(
        "{}, encoder {}. Accuracy / macro-F1 in %, on the official test parts; in brackets the 95 % interval when clips are \
         drawn. Speakers are not known, so one may be in both parts.\n\n",
        report.program, report.model
    );
    text += "| language | clean, abusive to train with | to test with |\n|---|---|---|\n";
    for language in &report.languages {
        text +=
            &format!("| {} | {} | {} |\n", language.name, listed(&language.train), listed(&language.test));
    }
    text += &format!("\n## {}\n\n", titled(report, "Each language by itself"));
    text += &by_system(report, |system| &system.monolingual);
    text += &format!("\n## {}\n\n", titled(report, "From all other languages, none of its own (zero-shot)"));
    text += &by_system(report, |system| &system.zero_shot);
    text += &format!("\n## {}\n", titled(report, "From each language to each, macro-F1"));
    for system in &report.systems {
        text += &matrix(report, system);
    }
    text += &format!("\n## {}\n", titled(report, "Few shots of a language after all others"));
    text += "\nMean and standard deviation over draws of the shots, accuracy / macro-F1. Published figures are those of Sharma et al. \
             (COLING 2025) with the same pooling, on ADIMA; they hold no language out and learn from as many clips of all ten, \
             so `probe, as few of every language` is their nearest kin here.\n";
    for system in &report.systems {
        text += &few_shots(report, system);
    }
    text
}

fn listed(counts: &[usize]) -> String {
    counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn names(report: &Report) -> impl Iterator<Item = String> + '_ {
    report.languages.iter().map(|language| language.name.clone())
}

fn head(report: &Report, first: &str) -> String {
    let columns = names(report).chain(["mean".to_owned()]);
    format!("| {first} |{}\n|---|{}\n", cells(columns), "---|".repeat(report.languages.len() + 1))
}

fn by_system(report: &Report, of: fn(&System) -> &Vec<Scored>) -> String {
    let mut text = head(report, "system");
    for system in &report.systems {
        let scored = of(system);
        let cell = |s: &Scored| format!("{:.1} / {}", s.accuracy.value, bracketed(s.macro_f1));
        let mean = format!(
            "{:.1} / {:.1}",
            mean(scored.iter().map(|s| s.accuracy.value)),
            mean(scored.iter().map(|s| s.macro_f1.value))
        );
        text += &format!("| {} |{}\n", system.name, cells(scored.iter().map(cell).chain([mean])));
    }
    text
}

fn matrix(report: &Report, system: &System) -> String {
    let mut text =
        format!("\n{}; a row is learnt from, a column tested on:\n\n{}", system.name, head(report, "from"));
    for from in names(report) {
        let row: Vec<Percent> = system.matrix.iter().filter(|s| s.from == from).map(|s| s.macro_f1).collect();
        let mean = format!("{:.1}", mean(row.iter().map(|percent| percent.value)));
        text +=
            &format!("| {from} |{}\n", cells(row.iter().map(|p| format!("{:.1}", p.value)).chain([mean])));
    }
    text
}

fn few_shots(report: &Report, system: &System) -> String {
    let mut shots: Vec<usize> = system.few_shot.iter().map(|row| row.shots).collect();
    shots.sort_unstable();
    shots.dedup();
    let mut text = String::new();
    for shots in shots {
        text += &format!("\n{}, {shots} clips of the language:\n\n{}", system.name, head(report, "learner"));
        for method in METHODS {
            let rows: Vec<&FewShotRow> =
                system.few_shot.iter().filter(|row| row.method == method && row.shots == shots).collect();
            let cell = |name: String| {
                let row = rows.iter().find(|row| row.language == name);
                row.map_or("too few clips".to_owned(), |row| {
                    format!(
                        "{:.1} ± {:.1} / {:.1} ± {:.1}",
                        row.accuracy.0, row.accuracy.1, row.macro_f1.0, row.macro_f1.1
                    )
                })
            };
            let mean = format!(
                "{:.1} / {:.1}",
                mean(rows.iter().map(|row| row.accuracy.0)),
                mean(rows.iter().map(|row| row.macro_f1.0))
            );
            text += &format!("| {} |{}\n", method.name(), cells(names(report).map(cell).chain([mean])));
        }
        for encoder in ["whisper", "wav2vec"] {
            text += &published(report, system, encoder, shots);
        }
    }
    text
}

/// A row of published figures; its mean is over all ten languages of ADIMA.
fn published(report: &Report, system: &System, encoder: &str, shots: usize) -> String {
    let of: Vec<_> = report
        .published
        .iter()
        .filter(|p| p.pooling == system.pooling && p.encoder == encoder && p.shots == shots)
        .collect();
    if of.is_empty() {
        return String::new();
    }
    let cell = |name: String| {
        let found = of.iter().find(|p| p.language == name);
        found.map_or("–".to_owned(), |p| format!("{:.1} / {:.1}", p.accuracy, p.macro_f1))
    };
    let mean =
        format!("{:.1} / {:.1}", mean(of.iter().map(|p| p.accuracy)), mean(of.iter().map(|p| p.macro_f1)));
    format!("| published, {encoder}, on ADIMA |{}\n", cells(names(report).map(cell).chain([mean])))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
