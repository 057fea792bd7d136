//! What labels of data sets and models mean.

/// Labels that mean abuse, as data sets have them.
const ABUSIVE: [&str; 12] = [
    "abuse",
    "abusive",
    "toxic",
    "toxicity",
    "hate",
    "hateful",
    "offensive",
    "hof",
    "unsafe",
    "yes",
    "true",
    "1",
];

/// The number of the label that means abuse.
///
/// # Errors
/// A reason, where none or more than one does.
pub fn abusive(labels: &[String]) -> Result<usize, String> {
    let mut found = (0..labels.len()).filter(|&index| is_among(&labels[index], &ABUSIVE));
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(index),
        _ => Err(format!(
            "has the labels {}; exactly one must mean abuse, as `abusive` does",
            labels.join(", ")
        )),
    }
}

/// Whether `label` is one of `names`, in whatever case.
pub fn is_among(label: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(label.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_label_means_abuse() {
        let index =
            |labels: &[&str]| abusive(&labels.iter().map(|&label| label.to_owned()).collect::<Vec<_>>());
        assert_eq!(index(&["safe", " Unsafe "]), Ok(1));
        assert_eq!(index(&["HOF", "NOT"]), Ok(0));
        for wrong in [&["LABEL_0", "LABEL_1"][..], &["hate", "offensive", "neither"], &[]] {
            assert!(index(wrong).unwrap_err().contains("exactly one"), "{wrong:?}");
        }
    }
}
