//! Which spool is whose when several processes post to one URL.
//!
//! The first takes the folder `DIGEST`, the next `DIGEST-2`, and so on. Each also sends what is left in those that no
//! process holds.

use std::path::Path;

use super::spool::Spool;
use crate::{Error, Result};

/// How many processes may post to one URL at a time.
const MOST: u32 = 64;

/// The spools that a process holds.
pub struct Claim {
    /// Those left by other processes, with events in them.
    pub left: Vec<Spool>,
    /// The one that new events go to.
    pub own: Spool,
}

/// Takes the first free spool of the receiver, and every other that is free and not empty.
pub fn claim(base: &Path, digest: &str, bound: u64) -> Result<Claim> {
    let mut own = None;
    let mut left = Vec::new();
    for number in 1..=MOST {
        let name = if number == 1 { digest.to_owned() } else { format!("{digest}-{number}") };
        let folder = base.join(name);
        // They are numbered without holes.
        if own.is_some() && !folder.exists() {
            break;
        }
        let Some(spool) = Spool::open(&folder, bound)? else { continue };
        if own.is_none() {
            own = Some(spool);
        } else if !spool.is_empty() {
            left.push(spool);
        }
    }
    match own {
        Some(own) => Ok(Claim { left, own }),
        None => Err(Error::Setting(format!(
            "webhook: {MOST} processes post to this URL already, with spools in {}",
            base.display()
        ))),
    }
}
