//! The formats, and how to tell them apart.

use std::fmt;

/// How accounts are written down.
///
/// In each a byte order mark at the start and CR LF at the ends of lines are nothing special.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `[[account]]` tables, as the documentation of this crate lists them.
    Toml,
    /// `DOMAIN:user:password`, the file that `NTLM_USER_FILE` names to gss-ntlmssp and Heimdal.
    ///
    /// The password is all that follows the second colon, further colons and spaces included
    /// (gss-ntlmssp takes three fields and no more). Lines that start with `#` are comments.
    UserFile,
    /// `user:uid:LMHASH:NTHASH:[flags]:..`, the passdb of Samba.
    ///
    /// The user may be `DOMAIN\user`, as gss-ntlmssp has it. A hash of 32 `X` or `*`, or
    /// `NO PASSWORD` filled up with `X`, is none. Of the flags only `D`, disabled, is kept, and
    /// they may be left out; what follows them is not looked at. Lines that start with `#` are
    /// comments.
    Smbpasswd,
}

impl Format {
    /// Tells the format by the first line that is neither blank nor a comment.
    ///
    /// `None` if there is none such, or if it looks like none of them.
    #[must_use]
    pub fn detect(text: &str) -> Option<Self> {
        let mut lines = lines(text).map(|(_, line)| line.trim_start());
        let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
        let before_colon = line.split_once(':').map_or(line, |(before, _)| before);
        if looks_like_smbpasswd(line) {
            Some(Self::Smbpasswd)
        } else if line.starts_with('[') || before_colon.contains('=') {
            Some(Self::Toml)
        } else if line.split(':').count() >= 3 {
            Some(Self::UserFile)
        } else {
            None
        }
    }
}

/// What a text of the format consists of.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Toml => "TOML",
            Self::UserFile => "DOMAIN:user:password",
            Self::Smbpasswd => "user:uid:LMHASH:NTHASH:[flags]",
        })
    }
}

fn looks_like_smbpasswd(line: &str) -> bool {
    let mut fields = line.split(':').skip(1);
    let uid = fields.next();
    let hashes = [fields.next(), fields.next()];
    uid.is_some_and(|uid| !uid.is_empty() && uid.bytes().all(|b| b.is_ascii_digit()))
        && hashes.iter().flatten().filter(|hash| hash.len() == 32).count() == 2
}

/// The lines of a text without its byte order mark, each with its number.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(without_byte_order_mark(text).lines())
}

/// The text without U+FEFF at its start.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_the_first_line_that_says_something() {
        let hash = "0123456789abcdef0123456789ABCDEF";
        let smbpasswd = format!("# comment\nalice:1000:{hash}:{hash}:[U          ]:LCT-0:\n");
        for (text, format) in [
            ("[[account]]\n", Some(Format::Toml)),
            ("\u{feff}\r\n  # comment\r\n  [[account]]\r\n", Some(Format::Toml)),
            ("account = []", Some(Format::Toml)),
            ("user = \"a:b:c\"", Some(Format::Toml)),
            ("CORP:alice:a=b", Some(Format::UserFile)),
            ("\n\n#x\n:alice:", Some(Format::UserFile)),
            ("\u{feff}CORP:alice:12:34", Some(Format::UserFile)),
            ("CORP:1000:short:short:x", Some(Format::UserFile)),
            (smbpasswd.as_str(), Some(Format::Smbpasswd)),
            ("", None),
            ("# only a comment", None),
            ("alice", None),
            ("CORP:alice", None),
        ] {
            assert_eq!(Format::detect(text), format, "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_from_one_whatever_ends_them() {
        let all: Vec<_> = lines("\u{feff}a\r\n\nb\r").collect();
        assert_eq!(all, [(1, "a"), (2, ""), (3, "b\r")]);
    }
}
