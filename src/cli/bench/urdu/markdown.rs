//! The report as text.

use super::figures::{Report, System};
use crate::cli::bench::heads::figures::{bracketed, cells};

/// The report in Markdown.
pub fn report(report: &Report) -> String {
    let mut text = format!(
        "# Emotions within and across languages\n\n\
         {}, encoder {}. UAR in %. RAVDESS stands in for the English corpus of the paper where SAVEE is not there. Within a \
         corpus: mean and standard deviation over {} folds, apart by speakers, of {} seeds; with few speakers of unequal \
         share, as in URDU, a single split swings by tens of points and says little. Across: each corpus standardised by \
         itself, without labels; in brackets the 95 % interval when speakers are drawn.\n",
        report.program, report.model, report.folds, report.seeds
    );
    for task in ["emotion", "valence"] {
        let systems: Vec<&System> = report.systems.iter().filter(|system| system.task == task).collect();
        let Some(first) = systems.first() else { continue };
        let names: Vec<&str> = first.corpora.iter().map(|corpus| corpus.name.as_str()).collect();
        text += &format!("\n## {}: {}\n\n", title(task), first.labels.join(", "));
        for corpus in &first.corpora {
            text += &format!("- {}: {} clips of {} speakers\n", corpus.name, corpus.clips, corpus.speakers);
        }
        let head = |what: &str| {
            format!(
                "| {what} |{}\n|---|{}\n",
                cells(names.iter().map(ToString::to_string)),
                "---|".repeat(names.len())
            )
        };
        text += &format!("\n### Within a corpus\n\n{}", head("system"));
        for system in &systems {
            let scores =
                system.within.iter().map(|folds| format!("{:.1} ± {:.1}", folds.mean, folds.deviation));
            text += &format!("| {} |{}\n", system.name, cells(scores));
        }
        text += &format!("\n### From all others\n\n{}", head("system"));
        for system in &systems {
            let scores = system.from_others.iter().map(|transfer| bracketed(transfer.uar));
            text += &format!("| {} |{}\n", system.name, cells(scores));
        }
        text += "\n### From one to another\n\n";
        for system in &systems {
            text +=
                &format!("{}; a row is learnt from, a column tested on:\n\n{}", system.name, head("from"));
            for from in &names {
                let score = |to: &&str| {
                    let found = system.across.iter().find(|t| t.from == **from && t.to == **to);
                    found.map_or(String::new(), |transfer| bracketed(transfer.uar))
                };
                text += &format!("| {from} |{}\n", cells(names.iter().map(score)));
            }
            text.push('\n');
        }
        let with_some = || systems.iter().filter(|system| !system.with_some.is_empty());
        if with_some().next().is_some() {
            text += "### All others and a share of the tested corpus\n\n";
        }
        for system in with_some() {
            text += &format!("{}; mean over folds of the tested corpus:\n\n{}", system.name, head("share"));
            let mut shares: Vec<f64> = system.with_some.iter().map(|some| some.share).collect();
            shares.sort_by(f64::total_cmp);
            shares.dedup();
            for share in shares {
                let of = system.with_some.iter().filter(|some| some.share == share);
                let scores = of.map(|some| format!("{:.1} ± {:.1}", some.mean, some.deviation));
                text += &format!("| {:.0} % |{}\n", 100.0 * share, cells(scores));
            }
            text.push('\n');
        }
    }
    text
}

pub fn title(task: &str) -> &'static str {
    if task == "valence" { "Valence" } else { "Emotions" }
}
