//! What may be said of SMB, as a client and as a server.

use clap::ValueEnum;
use ntlm_smb::{Dialect, DialectRange, Protocol};

/// A range of dialects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SmbDialects(pub(crate) DialectRange);

impl SmbDialects {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (oldest, newest) = text.split_once('-').unwrap_or((text, text));
        let protocol = |name: &str| {
            let dialect = Dialect::ALL.into_iter().find(|dialect| dialect.name() == name);
            match (name, dialect) {
                ("1", _) => Ok(Protocol::Smb1),
                (_, Some(dialect)) => Ok(Protocol::Smb2(dialect)),
                _ => Err(format!("no dialect {name}: there are 1, 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1")),
            }
        };
        let range = DialectRange { oldest: protocol(oldest)?, newest: protocol(newest)? };
        if range.oldest > range.newest {
            return Err("the older dialect comes first".to_owned());
        }
        Ok(Self(range))
    }
}

/// How messages are signed under 3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signing {
    HmacSha256,
    AesCmac,
    AesGmac,
}

/// How messages are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SmbCipher {
    #[value(name = "aes-128-ccm")]
    Aes128Ccm,
    #[value(name = "aes-128-gcm")]
    Aes128Gcm,
    #[value(name = "aes-256-ccm")]
    Aes256Ccm,
    #[value(name = "aes-256-gcm")]
    Aes256Gcm,
}

/// What was given, or else what is usual.
pub(crate) fn or_default<T: Copy + Into<U>, U>(given: &[T], default: Vec<U>) -> Vec<U> {
    if given.is_empty() { default } else { given.iter().copied().map(Into::into).collect() }
}
