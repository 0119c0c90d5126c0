//! `user:uid:LMHASH:NTHASH:[flags]:LCT-..:`, one account a line: the smbpasswd file of Samba.

use crate::account::{Account, Secret};
use crate::error::{AccountsError, FieldDefect};
use crate::format::{Format, lines};
use crate::hex;
use crate::read::{Reading, domain};
use ntlm::keys::{AccountSecret, Lmowfv1, Ntowfv1};
use zeroize::Zeroizing;

pub(crate) fn read(text: &str, reading: &mut Reading) -> Result<(), AccountsError> {
    for (line, content) in lines(text) {
        if content.trim().is_empty() || content.starts_with('#') {
            continue;
        }
        let mut fields = content.split(':');
        let (Some(name), Some(uid), Some(lm_hash), Some(nt_hash)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            let origin = reading.origin(line);
            return Err(AccountsError::Syntax { origin, format: Format::Smbpasswd });
        };
        let (domain_name, user) = name.split_once('\\').unwrap_or(("", name));
        let user = reading.user(line, user)?;
        if uid.is_empty() || !uid.bytes().all(|b| b.is_ascii_digit()) {
            return Err(reading.defect(line, "uid", FieldDefect::NotANumber));
        }
        let not_hash = FieldDefect::NotHex { digits: 32 };
        let lm_hash =
            hash(lm_hash).map_err(|NotAHash| reading.defect(line, "lm_hash", not_hash))?;
        let nt_hash =
            hash(nt_hash).map_err(|NotAHash| reading.defect(line, "nt_hash", not_hash))?;
        let disabled = disabled(fields.next().unwrap_or_default())
            .ok_or_else(|| reading.defect(line, "flags", FieldDefect::NotAccountFlags))?;

        let origin = reading.origin(line);
        let Some(nt_hash) = nt_hash else {
            reading.without_secret.push(origin);
            continue;
        };
        let lm_hash = lm_hash.map(|bytes| Lmowfv1::new(*bytes));
        let secret = AccountSecret::from_hashes(Ntowfv1::new(*nt_hash), lm_hash);
        let (domain, secret) = (domain(domain_name), Secret::Account(secret));
        reading.push(Account { user, domain, secret, disabled, origin })?;
    }
    Ok(())
}

struct NotAHash;

/// A hash, or `None` where the file says that there is none.
fn hash(text: &str) -> Result<Option<Zeroizing<[u8; 16]>>, NotAHash> {
    let filler = text.strip_prefix("NO PASSWORD").unwrap_or(text);
    let absent = [filler.bytes().all(|b| b == b'X'), text.bytes().all(|b| b == b'*')];
    if text.len() == 32 && absent.contains(&true) {
        return Ok(None);
    }
    hex::array(text).map(Some).ok_or(NotAHash)
}

/// Whether `D` is among the flags; `None` if they are none. No field at all is no flags.
fn disabled(flags: &str) -> Option<bool> {
    if flags.is_empty() {
        return Some(false);
    }
    let letters = flags.strip_prefix('[')?.strip_suffix(']')?;
    let known = letters.bytes().all(|b| b.is_ascii_uppercase() || b == b' ');
    known.then(|| letters.contains('D'))
}
