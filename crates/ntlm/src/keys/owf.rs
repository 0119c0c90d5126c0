//! The one-way functions: from a password to LMOWFv1, NTOWFv1 and NTOWFv2 (MS-NLMP 3.3.1, 3.3.2).

use super::doc::{Input, KeyName, MessageField, RuleDoc};
use crate::crypto::{HmacMd5, des, md4_utf16};
use crate::secret::secret_key;
use crate::text::{CodePage, upcase_units};
use alloc::vec::Vec;
use core::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A password: UTF-16 code units, which need not be valid Unicode (managed service accounts).
///
/// It is never inspected to guess whether it might be a hash: an NT hash is an [`Ntowfv1`].
pub struct Password(Zeroizing<Vec<u16>>);

impl Password {
    /// From UTF-16 code units.
    #[must_use]
    pub fn from_units(units: &[u16]) -> Self {
        Self(Zeroizing::new(units.to_vec()))
    }

    /// From UTF-16LE bytes; `None` if their number is odd.
    #[must_use]
    pub fn from_utf16le(bytes: &[u8]) -> Option<Self> {
        if !bytes.len().is_multiple_of(2) {
            return None;
        }
        let units = bytes.chunks_exact(2);
        let units =
            units.map(|pair| pair.iter().rev().fold(0, |unit, b| unit << 8 | u16::from(*b)));
        Some(Self(Zeroizing::new(units.collect())))
    }

    fn units(&self) -> &[u16] {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        // At most one unit for each byte of UTF-8, so the buffer never moves and leaves no copy.
        let mut units = Zeroizing::new(Vec::with_capacity(text.len()));
        units.extend(text.encode_utf16());
        Self(units)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

secret_key! {
    /// `LMOWFv1`, the LM hash of a password (MS-NLMP 3.3.1), 16 bytes.
    Lmowfv1, 16
}

secret_key! {
    /// The first 8 bytes of `LMOWFv1`, which a domain controller returns as LmKey: all that KXKEY
    /// needs of it.
    LmowfPrefix, 8
}

impl LmowfPrefix {
    /// As an LM hash whose other bytes do not count.
    pub(super) const fn padded(&self) -> Lmowfv1 {
        let [a, b, c, d, e, f, g, h] = *self.expose();
        Lmowfv1::new([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0])
    }
}

secret_key! {
    /// `NTOWFv1`, the NT hash of a password (MS-NLMP 3.3.1), 16 bytes.
    ///
    /// Whoever has it can log on as the account: guard it like the password.
    Ntowfv1, 16
}

secret_key! {
    /// `NTOWFv2`: ResponseKeyNT of NTLM v2 (MS-NLMP 3.3.2), 16 bytes.
    ResponseKeyNt, 16
}

secret_key! {
    /// `LMOWFv2`: ResponseKeyLM of NTLM v2 (MS-NLMP 3.3.2), 16 bytes, the same bytes as NTOWFv2.
    ResponseKeyLm, 16
}

/// Derives `NTOWFv1`: `MD4(UNICODE(Passwd))`, 16 bytes (MS-NLMP 3.3.1).
#[must_use]
pub fn ntowf_v1(password: &Password) -> Ntowfv1 {
    Ntowfv1::new(md4_utf16(password.units()))
}

/// Derives `LMOWFv1`: DES of a constant under the upper-cased OEM password, 16 bytes
/// (MS-NLMP 3.3.1).
///
/// `None` where it cannot be computed: a password of more than 14 bytes, or a character that has
/// no place in the code page. It is not cut to fit.
#[must_use]
pub fn lmowf_v1(password: &Password, code_page: CodePage) -> Option<Lmowfv1> {
    let upper: Zeroizing<Vec<u16>> = Zeroizing::new(upcase_units(password.units()).collect());
    let oem = Zeroizing::new(code_page.encode(&upper)?);
    lmowf_v1_from_oem(&oem)
}

/// Derives `LMOWFv1` from a password that is upper-cased OEM text already. `None` above 14 bytes.
#[must_use]
pub fn lmowf_v1_from_oem(oem_upper: &[u8]) -> Option<Lmowfv1> {
    const CONSTANT: [u8; 8] = *b"KGS!@#$%";
    let mut padded = [0; 14];
    padded.get_mut(..oem_upper.len())?.copy_from_slice(oem_upper);
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = padded;
    padded.zeroize();
    let halves = [des([a, b, c, d, e, f, g], CONSTANT), des([h, i, j, k, l, m, n], CONSTANT)];
    let mut hash = [0; 16];
    hash.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
    Some(Lmowfv1::new(hash))
}

/// Derives `NTOWFv2`: `HMAC_MD5(NTOWFv1, UNICODE(Uppercase(User) || UserDom))`, 16 bytes
/// (MS-NLMP 3.3.2).
///
/// Only the user name is upper-cased, by the Windows table; the domain counts exactly as sent.
#[must_use]
pub fn ntowf_v2(nt_hash: &Ntowfv1, user: &[u16], user_dom: &[u16]) -> ResponseKeyNt {
    let identity = upcase_units(user).chain(user_dom.iter().copied());
    ResponseKeyNt::new(HmacMd5::new(nt_hash.expose()).compute_utf16(identity))
}

/// Derives `LMOWFv2`, which is [`ntowf_v2`] under another name (MS-NLMP 3.3.2).
#[must_use]
pub fn lmowf_v2(response_key_nt: &ResponseKeyNt) -> ResponseKeyLm {
    ResponseKeyLm::new(*response_key_nt.expose())
}

/// Whether an LM hash can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LmowfRule {
    /// The password fits into 14 OEM bytes, or the hash is stored.
    Lmowfv1,
    /// There is none.
    Unavailable,
}

impl LmowfRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::Lmowfv1, Self::Unavailable];

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::Lmowfv1 => RuleDoc {
                name: "Lmowfv1",
                condition: "the password has at most 14 characters, all in the OEM code page, or \
                            the hash is stored",
                formula: "DES(P[0..6], \"KGS!@#$%\") || DES(P[7..13], \"KGS!@#$%\"), \
                          P = OEM(UpperCase(Passwd)) zero-padded to 14 bytes",
                inputs: &[Input::Password, Input::Constant("\"KGS!@#$%\"")],
                length: 16,
                section: "MS-NLMP 3.3.1",
                computed_by: "client, server, domain controller",
                beware: Some(
                    "Upper-casing happens in the OEM code page, which both ends must guess alike.",
                ),
            },
            Self::Unavailable => RuleDoc {
                name: "Unavailable",
                condition: "longer password, a character outside the OEM code page, or only the \
                            NT hash is at hand",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.3.1",
                computed_by: "nobody",
                beware: Some(
                    "A longer password is not cut: there is no LM hash, hence no LM response, and \
                     LM_KEY and NON_NT_SESSION_KEY do not work.",
                ),
            },
        }
    }
}

pub(super) const NTOWF_V1: RuleDoc = RuleDoc {
    name: "Ntowfv1",
    condition: "always",
    formula: "MD4(UNICODE(Passwd))",
    inputs: &[Input::Password],
    length: 16,
    section: "MS-NLMP 3.3.1",
    computed_by: "client, server, domain controller",
    beware: Some("No terminator is hashed, whatever MS-NLMP 6 says of null-terminated strings."),
};

/// Which domain went into NTOWFv2, if it was used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ntowfv2Rule {
    /// The domain as it stands in AUTHENTICATE.
    DomainAsSent,
    /// The empty domain, with which some clients compute whatever they send.
    EmptyDomain,
    /// Another version than 2.
    NotUsed,
}

impl Ntowfv2Rule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::DomainAsSent, Self::EmptyDomain, Self::NotUsed];

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        const INPUTS: &[Input] = &[
            Input::Key(KeyName::NtowfV1),
            Input::Field(MessageField::UserName),
            Input::Field(MessageField::DomainName),
        ];
        match self {
            Self::DomainAsSent => RuleDoc {
                name: "DomainAsSent",
                condition: "NTLMv2 or LMv2",
                formula: "HMAC_MD5(NTOWFv1, UNICODE(UpperCase(User) || UserDom))",
                inputs: INPUTS,
                length: 16,
                section: "MS-NLMP 3.3.2",
                computed_by: "client, server, domain controller",
                beware: Some(
                    "Only the user name is upper-cased, unit by unit with the Windows table; the \
                     domain counts exactly as it stands in AUTHENTICATE. Both are UTF-16 even \
                     where OEM was negotiated.",
                ),
            },
            Self::EmptyDomain => RuleDoc {
                name: "EmptyDomain",
                condition: "NTLMv2 or LMv2, and the response is not valid with the domain as sent",
                formula: "HMAC_MD5(NTOWFv1, UNICODE(UpperCase(User)))",
                inputs: &[Input::Key(KeyName::NtowfV1), Input::Field(MessageField::UserName)],
                length: 16,
                section: "MS-NLMP 3.2.5.1.2",
                computed_by: "server, domain controller",
                beware: Some(
                    "Windows XP computes with an empty domain for local accounts though it sends \
                     the machine's name: the server has to try both.",
                ),
            },
            Self::NotUsed => RuleDoc {
                name: "NotUsed",
                condition: "any other version",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.3.1",
                computed_by: "nobody",
                beware: Some("ESS is not NTLMv2: NTLMv1 with ESS proves NTOWFv1."),
            },
        }
    }
}
