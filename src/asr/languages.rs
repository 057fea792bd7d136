//! Whisper's languages by codes and English name, as in `LANGUAGES` of openai-whisper's `tokenizer.py`.

/// Code, code of three letters (ISO 639-3) and English name of each language that Whisper knows.
const LANGUAGES: [(&str, &str, &str); 100] = [
    ("en", "eng", "english"),
    ("zh", "zho", "chinese"),
    ("de", "deu", "german"),
    ("es", "spa", "spanish"),
    ("ru", "rus", "russian"),
    ("ko", "kor", "korean"),
    ("fr", "fra", "french"),
    ("ja", "jpn", "japanese"),
    ("pt", "por", "portuguese"),
    ("tr", "tur", "turkish"),
    ("pl", "pol", "polish"),
    ("ca", "cat", "catalan"),
    ("nl", "nld", "dutch"),
    ("ar", "ara", "arabic"),
    ("sv", "swe", "swedish"),
    ("it", "ita", "italian"),
    ("id", "ind", "indonesian"),
    ("hi", "hin", "hindi"),
    ("fi", "fin", "finnish"),
    ("vi", "vie", "vietnamese"),
    ("he", "heb", "hebrew"),
    ("uk", "ukr", "ukrainian"),
    ("el", "ell", "greek"),
    ("ms", "msa", "malay"),
    ("cs", "ces", "czech"),
    ("ro", "ron", "romanian"),
    ("da", "dan", "danish"),
    ("hu", "hun", "hungarian"),
    ("ta", "tam", "tamil"),
    ("no", "nor", "norwegian"),
    ("th", "tha", "thai"),
    ("ur", "urd", "urdu"),
    ("hr", "hrv", "croatian"),
    ("bg", "bul", "bulgarian"),
    ("lt", "lit", "lithuanian"),
    ("la", "lat", "latin"),
    ("mi", "mri", "maori"),
    ("ml", "mal", "malayalam"),
    ("cy", "cym", "welsh"),
    ("sk", "slk", "slovak"),
    ("te", "tel", "telugu"),
    ("fa", "fas", "persian"),
    ("lv", "lav", "latvian"),
    ("bn", "ben", "bengali"),
    ("sr", "srp", "serbian"),
    ("az", "aze", "azerbaijani"),
    ("sl", "slv", "slovenian"),
    ("kn", "kan", "kannada"),
    ("et", "est", "estonian"),
    ("mk", "mkd", "macedonian"),
    ("br", "bre", "breton"),
    ("eu", "eus", "basque"),
    ("is", "isl", "icelandic"),
    ("hy", "hye", "armenian"),
    ("ne", "nep", "nepali"),
    ("mn", "mon", "mongolian"),
    ("bs", "bos", "bosnian"),
    ("kk", "kaz", "kazakh"),
    ("sq", "sqi", "albanian"),
    ("sw", "swa", "swahili"),
    ("gl", "glg", "galician"),
    ("mr", "mar", "marathi"),
    ("pa", "pan", "punjabi"),
    ("si", "sin", "sinhala"),
    ("km", "khm", "khmer"),
    ("sn", "sna", "shona"),
    ("yo", "yor", "yoruba"),
    ("so", "som", "somali"),
    ("af", "afr", "afrikaans"),
    ("oc", "oci", "occitan"),
    ("ka", "kat", "georgian"),
    ("be", "bel", "belarusian"),
    ("tg", "tgk", "tajik"),
    ("sd", "snd", "sindhi"),
    ("gu", "guj", "gujarati"),
    ("am", "amh", "amharic"),
    ("yi", "yid", "yiddish"),
    ("lo", "lao", "lao"),
    ("uz", "uzb", "uzbek"),
    ("fo", "fao", "faroese"),
    ("ht", "hat", "haitian creole"),
    ("ps", "pus", "pashto"),
    ("tk", "tuk", "turkmen"),
    ("nn", "nno", "nynorsk"),
    ("mt", "mlt", "maltese"),
    ("sa", "san", "sanskrit"),
    ("lb", "ltz", "luxembourgish"),
    ("my", "mya", "myanmar"),
    ("bo", "bod", "tibetan"),
    ("tl", "tgl", "tagalog"),
    ("mg", "mlg", "malagasy"),
    ("as", "asm", "assamese"),
    ("tt", "tat", "tatar"),
    ("haw", "haw", "hawaiian"),
    ("ln", "lin", "lingala"),
    ("ha", "hau", "hausa"),
    ("ba", "bak", "bashkir"),
    ("jw", "jav", "javanese"),
    ("su", "sun", "sundanese"),
    ("yue", "yue", "cantonese"),
];

/// Other names in use, as in `TO_LANGUAGE_CODE` of the same file.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("my", "burmese"),
    ("ca", "valencian"),
    ("nl", "flemish"),
    ("ht", "haitian"),
    ("lb", "letzeburgesch"),
    ("ps", "pushto"),
    ("pa", "panjabi"),
    ("ro", "moldavian"),
    ("ro", "moldovan"),
    ("si", "sinhalese"),
    ("es", "castilian"),
    ("zh", "mandarin"),
];

/// Other codes of three letters in use for them, mostly of the member of a group that is meant (ISO 639-3).
const OTHER_CODES: [(&str, &str); 17] = [
    ("zh", "cmn"),
    ("sw", "swh"),
    ("ms", "zsm"),
    ("ms", "zlm"),
    ("no", "nob"),
    ("ne", "npi"),
    ("et", "ekk"),
    ("lv", "lvs"),
    ("az", "azj"),
    ("uz", "uzn"),
    ("fa", "pes"),
    ("ar", "arb"),
    ("sq", "als"),
    ("mn", "khk"),
    ("ps", "pbt"),
    ("yi", "ydd"),
    ("mg", "plt"),
];

/// The English name of the language with this code ("english" for "en"); the code itself where it is not known.
pub fn english_name(code: &str) -> &str {
    LANGUAGES.iter().find(|(known, ..)| *known == code).map_or(code, |(_, _, name)| name)
}

/// The code of a language given by any of its codes or English names, in any case.
pub fn code_of(language: &str) -> Option<&'static str> {
    let language = language.to_lowercase();
    let usual = LANGUAGES.iter().find(|(code, three, name)| [code, three, name].contains(&&&*language));
    let other = || OTHER_NAMES.iter().chain(&OTHER_CODES).find(|(_, other)| *other == language);
    usual.map(|(code, ..)| *code).or_else(|| other().map(|(code, _)| *code))
}

/// The codes of three letters of the language with this code, the usual one first; none where it is not known.
pub fn codes_of_three(code: &str) -> Vec<&'static str> {
    let usual = LANGUAGES.iter().filter(|(known, ..)| *known == code).map(|(_, three, _)| *three);
    usual.chain(OTHER_CODES.iter().filter(|(known, _)| *known == code).map(|(_, three)| *three)).collect()
}

/// Whether words of the language with this code are written with spaces between them.
pub fn has_spaces(code: &str) -> bool {
    !matches!(code, "zh" | "ja" | "th" | "lo" | "my" | "yue")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_and_name_stands_once_and_leads_back() {
        let codes: HashSet<_> = LANGUAGES.iter().map(|(code, ..)| code).collect();
        let names: HashSet<_> =
            LANGUAGES.iter().map(|(.., name)| name).chain(OTHER_NAMES.iter().map(|(_, name)| name)).collect();
        assert_eq!(codes.len(), LANGUAGES.len());
        assert_eq!(names.len(), LANGUAGES.len() + OTHER_NAMES.len());
        for (code, three, name) in LANGUAGES {
            assert_eq!([code, three, name].map(code_of), [Some(code); 3]);
            assert_eq!((english_name(code), codes_of_three(code)[0]), (name, three));
        }
        assert_eq!((codes_of_three("zh"), codes_of_three("xx")), (vec!["zho", "cmn"], vec![]));
        assert_eq!((code_of("Mandarin"), code_of("klingon")), (Some("zh"), None));
    }
}
