//! Text as NTLM sees it: UTF-16 code units, the Windows upper-case table, OEM code pages.
//!
//! User, domain and machine names are compared and hashed unit by unit (MS-NLMP 3.3.2, 6), and need
//! not be valid Unicode. In messages they stand in UTF-16LE or in the sender's OEM code page,
//! which the two ends agree on outside the protocol (MS-NLMP 2.2).

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

mod code_page;
mod upcase;

pub use upcase::{upcase_unit, upcase_units};

/// A string of UTF-16 code units, not necessarily valid Unicode.
///
/// Equality is unit by unit; for names see [`eq_ignore_case`](Self::eq_ignore_case).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utf16String {
    units: Vec<u16>,
}

impl Utf16String {
    /// The string of these units.
    #[must_use]
    pub fn from_units(units: impl Into<Vec<u16>>) -> Self {
        Self { units: units.into() }
    }

    /// Reads UTF-16LE.
    ///
    /// # Errors
    ///
    /// [`OddLength`] if a byte is left over.
    pub fn from_le_bytes(bytes: &[u8]) -> Result<Self, OddLength> {
        match bytes.as_chunks() {
            (pairs, []) => Ok(pairs.iter().copied().map(u16::from_le_bytes).collect()),
            _ => Err(OddLength),
        }
    }

    /// The text in UTF-16LE: two bytes a unit, no terminator.
    #[must_use]
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    /// The code units.
    #[must_use]
    pub fn as_units(&self) -> &[u16] {
        &self.units
    }

    /// Whether there are no units at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The text in upper case by the Windows table; never longer or shorter.
    #[must_use]
    pub fn to_uppercase(&self) -> Self {
        upcase_units(&self.units).collect()
    }

    /// Whether both are the same name to Windows: equal in upper case.
    #[must_use]
    pub fn eq_ignore_case(&self, other: &Self) -> bool {
        upcase_units(&self.units).eq(upcase_units(&other.units))
    }
}

impl From<&str> for Utf16String {
    fn from(text: &str) -> Self {
        text.encode_utf16().collect()
    }
}

impl FromIterator<u16> for Utf16String {
    fn from_iter<I: IntoIterator<Item = u16>>(units: I) -> Self {
        Self { units: units.into_iter().collect() }
    }
}

/// For people: an unpaired surrogate shows as U+FFFD.
impl fmt::Display for Utf16String {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        char::decode_utf16(self.units.iter().copied())
            .try_for_each(|c| f.write_char(c.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

/// As a string literal; an unpaired surrogate shows as its escape, `\u{d800}`.
impl fmt::Debug for Utf16String {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in char::decode_utf16(self.units.iter().copied()) {
            match c {
                Ok('\'') => f.write_char('\'')?,
                Ok(c) => write!(f, "{}", c.escape_debug())?,
                Err(unpaired) => write!(f, "\\u{{{:x}}}", unpaired.unpaired_surrogate())?,
            }
        }
        f.write_char('"')
    }
}

/// UTF-16 text ends in the middle of a code unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OddLength;

impl fmt::Display for OddLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UTF-16 text of an odd number of bytes")
    }
}

impl core::error::Error for OddLength {}

/// How the names of one message are written: as `UNICODE` and `OEM` decide (MS-NLMP 2.2.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-16LE.
    Unicode,
    /// One byte a character, in a code page that is not said in the message.
    Oem(CodePage),
}

impl Charset {
    /// Reads text from a message.
    ///
    /// # Errors
    ///
    /// [`OddLength`] if it should be UTF-16 and a byte is left over.
    pub fn decode(self, bytes: &[u8]) -> Result<Utf16String, OddLength> {
        match self {
            Self::Unicode => Utf16String::from_le_bytes(bytes),
            Self::Oem(code_page) => Ok(code_page.decode(bytes)),
        }
    }

    /// Writes text for a message. `None` if the code page lacks one of its characters.
    #[must_use]
    pub fn encode(self, units: &[u16]) -> Option<Vec<u8>> {
        match self {
            Self::Unicode => Some(units.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
            Self::Oem(code_page) => code_page.encode(units),
        }
    }
}

/// A single-byte character set, called OEM in the protocol.
///
/// In all of them the bytes below 0x80 are ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodePage {
    /// Nothing but ASCII: a byte from 0x80 on decodes to U+FFFD, and only ASCII encodes.
    Ascii,
    /// 437, the OEM code page of Windows in the United States.
    Cp437,
    /// 850, Western Europe.
    Cp850,
    /// 852, Central Europe.
    Cp852,
    /// 866, Cyrillic.
    Cp866,
    /// 1252, Western Europe; not an OEM code page to Windows, but what some clients send.
    Windows1252,
}

impl CodePage {
    /// Reads text; every byte is one unit.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Utf16String {
        bytes.iter().map(|&byte| self.decode_byte(byte)).collect()
    }

    /// Writes text. `None` if a unit has no place in the page; nothing is replaced by a likeness.
    #[must_use]
    pub fn encode(self, units: &[u16]) -> Option<Vec<u8>> {
        // In one piece from the start: what is encoded may be a password.
        let mut bytes = Vec::with_capacity(units.len());
        for unit in units {
            bytes.push(self.encode_unit(*unit)?);
        }
        Some(bytes)
    }

    /// The text in upper case, as [`upcase_byte`](Self::upcase_byte) gives it.
    #[must_use]
    pub fn to_uppercase(self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().map(|&byte| self.upcase_byte(byte)).collect()
    }

    /// One byte in upper case, by the Windows table.
    ///
    /// A byte whose upper case has no place in the page stays, as `à` does in 437.
    #[must_use]
    pub fn upcase_byte(self, byte: u8) -> u8 {
        self.encode_unit(upcase_unit(self.decode_byte(byte))).unwrap_or(byte)
    }

    /// The unit that a byte stands for; U+FFFD if it stands for none.
    #[must_use]
    pub fn decode_byte(self, byte: u8) -> u16 {
        let Some(place) = byte.checked_sub(FIRST_OF_UPPER_HALF) else { return u16::from(byte) };
        let c = self.upper_half().get(usize::from(place)).copied();
        c.and_then(|c| u16::try_from(c).ok()).unwrap_or(REPLACEMENT_UNIT)
    }

    /// The byte that stands for a unit, if the page has one.
    #[must_use]
    pub fn encode_unit(self, unit: u16) -> Option<u8> {
        if let Ok(byte @ ..FIRST_OF_UPPER_HALF) = u8::try_from(unit) {
            return Some(byte);
        }
        let place = self.upper_half().iter().position(|&c| u32::from(c) == u32::from(unit))?;
        u8::try_from(place).ok()?.checked_add(FIRST_OF_UPPER_HALF)
    }

    /// What the bytes from 0x80 on stand for: 128 characters, or none at all.
    fn upper_half(self) -> &'static [char] {
        match self {
            Self::Ascii => &[],
            Self::Cp437 => &code_page::CP437,
            Self::Cp850 => &code_page::CP850,
            Self::Cp852 => &code_page::CP852,
            Self::Cp866 => &code_page::CP866,
            Self::Windows1252 => &code_page::WINDOWS_1252,
        }
    }
}

/// The first byte that is not ASCII.
const FIRST_OF_UPPER_HALF: u8 = 0x80;

/// U+FFFD, for a byte without meaning.
const REPLACEMENT_UNIT: u16 = 0xfffd;

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;
    use std::{format, vec};

    const CODE_PAGES: [CodePage; 6] = [
        CodePage::Ascii,
        CodePage::Cp437,
        CodePage::Cp850,
        CodePage::Cp852,
        CodePage::Cp866,
        CodePage::Windows1252,
    ];

    #[test]
    fn upper_case_is_as_in_the_vectors() {
        let json =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors/nlmp.json"));
        let file: serde_json::Value = serde_json::from_str(json).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        let vectors: Vec<_> = vectors.iter().filter(|vector| vector["op"] == "upcase").collect();
        assert_eq!(vectors.len(), 13);
        for vector in vectors {
            let text = Utf16String::from(vector["inputs"]["string"].as_str().unwrap());
            let expected = match vector["id"].as_str().unwrap() {
                // The vector has both sigmas go to U+03A3, as up to Windows Server 2003.
                "upcase-5" => "a303c203",
                _ => vector["expected"]["utf16le"].as_str().unwrap(),
            };
            assert_eq!(hex(&text.to_uppercase().to_le_bytes()), expected, "{}", vector["id"]);
        }
    }

    #[test]
    fn le_bytes_read_back() {
        let text = Utf16String::from("Domäne \u{1f511}");
        assert_eq!(Utf16String::from_le_bytes(&text.to_le_bytes()), Ok(text));
        assert_eq!(Utf16String::from_le_bytes(&[]), Ok(Utf16String::default()));
        assert_eq!(Utf16String::from_le_bytes(b"a\0b"), Err(OddLength));
    }

    #[test]
    fn names_are_compared_without_regard_to_case() {
        let same = |a: &str, b: &str| Utf16String::from(a).eq_ignore_case(&b.into());
        assert!(same("Müller", "mÜLLER"));
        assert!(same("", ""));
        assert!(!same("Müller", "Muller"));
        assert!(!same("Müller", "Mülle"));
        assert!(!same("strasse", "straße"));
        assert!(!same("i", "ı"));
        assert!(!same("ς", "Σ"));
    }

    #[test]
    fn unpaired_surrogates_are_kept_and_shown() {
        let text = Utf16String::from_units([0x41, 0xd800, 0x42]);
        assert_eq!(Utf16String::from_le_bytes(&text.to_le_bytes()), Ok(text.clone()));
        assert_eq!(text.to_string(), "A\u{fffd}B");
        assert_eq!(format!("{text:?}"), r#""A\u{d800}B""#);
    }

    #[test]
    fn debug_is_that_of_a_str() {
        for text in ["plain", "it's \"quoted\"", "tab\tnul\0", "ü\u{1f511}"] {
            assert_eq!(format!("{:?}", Utf16String::from(text)), format!("{text:?}"));
        }
    }

    #[test]
    fn what_a_code_page_decodes_it_encodes_to_the_same_bytes() {
        let every_byte: Vec<u8> = (0..=0xff).collect();
        for code_page in CODE_PAGES.into_iter().filter(|&page| page != CodePage::Ascii) {
            let text = code_page.decode(&every_byte);
            assert_eq!(
                code_page.encode(text.as_units()).as_ref(),
                Some(&every_byte),
                "{code_page:?}"
            );
        }
    }

    #[test]
    fn ascii_is_the_same_in_every_code_page() {
        let ascii: Vec<u8> = (0..0x80).collect();
        let text: Utf16String = (0..0x80).collect();
        for code_page in CODE_PAGES {
            assert_eq!(code_page.decode(&ascii), text);
            assert_eq!(code_page.encode(text.as_units()).as_ref(), Some(&ascii));
            assert_eq!(code_page.to_uppercase(&ascii), ascii.to_ascii_uppercase());
        }
    }

    #[test]
    fn ascii_has_nothing_else() {
        assert_eq!(CodePage::Ascii.decode(b"a\x81").to_string(), "a\u{fffd}");
        assert_eq!(CodePage::Ascii.encode(Utf16String::from("ü").as_units()), None);
        assert_eq!(CodePage::Ascii.encode(&[0xfffd]), None);
        assert_eq!(CodePage::Ascii.to_uppercase(b"a\x81"), b"A\x81");
    }

    #[test]
    fn characters_stand_where_each_code_page_has_them() {
        let text = |code_page: CodePage, bytes: &[u8]| code_page.decode(bytes).to_string();
        assert_eq!(text(CodePage::Cp437, b"\x81\x8e\xe1\x9b"), "üÄß¢");
        assert_eq!(text(CodePage::Cp850, b"\x81\x8e\xe1\x9b"), "üÄßø");
        assert_eq!(text(CodePage::Cp852, b"\x81\x9f\xa5\xfd"), "üčąř");
        assert_eq!(text(CodePage::Cp866, b"\x80\xa0\xe0\xf1"), "Аарё");
        assert_eq!(text(CodePage::Windows1252, b"\x80\x81\xfc\xff"), "€\u{81}üÿ");
    }

    #[test]
    fn oem_upper_case_stays_within_the_code_page() {
        assert_eq!(CodePage::Cp437.to_uppercase(b"\x81\x82"), b"\x9a\x90"); // ü é
        assert_eq!(CodePage::Cp437.to_uppercase(b"\x85\xe6"), b"\x85\xe6"); // à µ
        assert_eq!(CodePage::Cp850.to_uppercase(b"\x85"), b"\xb7"); // à
        assert_eq!(CodePage::Cp852.to_uppercase(b"\x9f"), b"\xac"); // č
        assert_eq!(CodePage::Cp866.to_uppercase(b"\xa0\xef\xf1"), b"\x80\x9f\xf0"); // а я ё
        assert_eq!(CodePage::Windows1252.to_uppercase(b"\xff"), b"\x9f"); // ÿ
    }

    #[test]
    fn charset_decides_how_bytes_are_read() {
        assert_eq!(Charset::Unicode.decode(b"a\0"), Ok("a".into()));
        assert_eq!(Charset::Unicode.decode(b"a"), Err(OddLength));
        assert_eq!(Charset::Unicode.encode(&[0xd800]), Some(vec![0x00, 0xd8]));
        let oem = Charset::Oem(CodePage::Cp437);
        assert_eq!(oem.decode(b"\x81"), Ok("ü".into()));
        assert_eq!(oem.encode(&[0xfc]), Some(vec![0x81]));
        assert_eq!(oem.encode(&[0x20ac]), None); // €
    }

    fn hex(bytes: &[u8]) -> std::string::String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
