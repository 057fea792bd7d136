//! Codes of the languages that corpora name in English.

/// ISO 639-1 where it has a code, else ISO 639-3. MACD's files spell Malayalam without its second a.
const CODES: [(&str, &str); 13] = [
    ("bengali", "bn"),
    ("bhojpuri", "bho"),
    ("english", "en"),
    ("gujarati", "gu"),
    ("haryanvi", "bgc"),
    ("hindi", "hi"),
    ("kannada", "kn"),
    ("malayalam", "ml"),
    ("malyalam", "ml"),
    ("odia", "or"),
    ("punjabi", "pa"),
    ("tamil", "ta"),
    ("telugu", "te"),
];

/// The code of a language, or the name itself where it is not known.
pub(super) fn code(name: &str) -> String {
    let known = CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map_or(name, |(_, code)| code).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_codes_and_codes_stay() {
        for (name, expected) in
            [("Hindi", "hi"), ("malyalam", "ml"), ("Haryanvi", "bgc"), ("ta", "ta"), ("Tulu", "Tulu")]
        {
            assert_eq!(code(name), expected);
        }
    }
}
