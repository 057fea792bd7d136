//! The report as text.

use super::figures::{DiarizationRow, Report, Row, Span};

/// The report in Markdown.
pub fn report(report: &Report) -> String {
    let mut text = format!(
        "# Voices told apart, and who speaks when\n\n{}. In brackets the 95 % interval of {} draws of speakers.\n\n",
        report.program, report.draws
    );
    for corpus in &report.corpora {
        text += &format!("- {}: {} clips of {} speakers\n", corpus.name, corpus.clips, corpus.speakers);
    }
    if !report.verification.is_empty() {
        text += "\n| system | ms for a second of speech |\n|---|---|\n";
        for system in &report.systems {
            text += &format!("| {} | {:.1} |\n", system.name, system.milliseconds);
        }
        text += "\n## Verification\n\nAll pairs of clips of a corpus, or those of the list; silences are cut out. EER in %; least \
                 detection cost at priors of 0.01 and 0.05.\n";
        let mut names: Vec<&str> = Vec::new();
        for row in &report.verification {
            if !names.contains(&row.corpus.as_str()) {
                names.push(&row.corpus);
            }
        }
        for corpus in names {
            text += &format!(
                "\n### {corpus}\n\n| system | trials | one speaker | two | EER | minDCF 0.01 | minDCF 0.05 |\n|---|---|---|---|---|---|---|\n"
            );
            for row in report.verification.iter().filter(|row| row.corpus == corpus) {
                text += &verification(row);
            }
        }
    }
    if let Some(talks) = &report.conversations {
        text += &format!(
            "\n## Who speaks when\n\n{} conversations mixed of clips of {}, {:.0} s in all; of {:.1} % of the speech two speak at \
             once. In % of the speech; without a collar, simultaneous speech scored; and leniently: 0.25 s around borders and \
             simultaneous speech left out.\n\n\
             | system | speakers | missed | false alarm | confusion | DER | lenient DER | number right | ms for a second |\n\
             |---|---|---|---|---|---|---|---|---|\n",
            talks.count, talks.corpus, talks.seconds, talks.overlap
        );
        talks.rows.iter().for_each(|row| text += &diarization(row));
    }
    text
}

fn verification(row: &Row) -> String {
    let Row { system, condition, same, different, eer, min_dcf: [first, second], .. } = row;
    let percent = |Span { value, low, high }: &Span| format!("{value:.1} ({low:.1}-{high:.1})");
    let share = |Span { value, low, high }: &Span| format!("{value:.2} ({low:.2}-{high:.2})");
    let (eer, first, second) = (percent(eer), share(first), share(second));
    format!("| {system} | {condition} | {same} | {different} | {eer} | {first} | {second} |\n")
}

fn diarization(row: &DiarizationRow) -> String {
    let speakers = row.speakers.map_or("all".to_owned(), |count| count.to_string());
    let milliseconds =
        if row.milliseconds > 0.0 { format!("{:.1}", row.milliseconds) } else { String::new() };
    format!(
        "| {} | {speakers} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {milliseconds} |\n",
        row.system, row.missed, row.false_alarm, row.confusion, row.der, row.der_lenient, row.counted
    )
}
