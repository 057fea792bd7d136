//! What arguments of several subcommands mean.

use crate::asr::languages;

/// The code of the language that `name` is the code or the English name of. Codes of three letters that only some models
/// know (MMS has a thousand, a few with a script: `urd-script_arabic`) stay as they are.
pub fn language(name: &str) -> Result<String, String> {
    let name = name.trim();
    let is_code = |name: &str| {
        let code = name.split('-').next().unwrap_or_default();
        code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    match languages::code_of(name) {
        Some(code) => Ok(code.to_owned()),
        None if is_code(name) => Ok(name.to_owned()),
        None => Err("no such language; give a code such as en or an English name such as hindi".to_owned()),
    }
}

/// A number from 0 to 1.
pub fn unit_interval(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("not a number from 0 to 1".into()),
    }
}

/// A whole number from `MIN` to `MAX`.
pub fn count<const MIN: usize, const MAX: usize>(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if (MIN..=MAX).contains(&number) => Ok(number),
        _ => Err(format!("not a whole number from {MIN} to {MAX}")),
    }
}

/// As [`seconds`], or 0.
pub fn seconds_or_none(text: &str) -> Result<std::time::Duration, String> {
    if text.trim().trim_end_matches('s').parse() == Ok(0.0) {
        return Ok(std::time::Duration::ZERO);
    }
    seconds(text)
}

/// A number of seconds, from a thousandth of one to a day.
pub fn seconds(text: &str) -> Result<std::time::Duration, String> {
    match text.trim().trim_end_matches('s').parse::<f64>() {
        Ok(number) if (0.001..=86_400.0).contains(&number) => Ok(std::time::Duration::from_secs_f64(number)),
        _ => Err("not a number of seconds from 0.001 to 86400".into()),
    }
}
