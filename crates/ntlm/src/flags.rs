//! The 32 negotiate flags: what each one is called, and what it asks for (MS-NLMP 2.2.2.5).

use bitflags::bitflags;

/// What there is to say about one flag: one row of [`FLAGS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagInfo {
    /// The flag itself: one bit.
    pub flag: NegotiateFlags,
    /// Its place, 0 (least significant) to 31.
    pub bit: u8,
    /// The letter the specification's drawing gives it: `A` to `W`, `r1` to `r10` for reserved bits.
    pub letter: &'static str,
    /// The specification's name; where it has none, the one in common use.
    pub name: &'static str,
    /// What it means when set, in a sentence.
    pub meaning: &'static str,
    /// What other programs, articles and policies call it, or used to.
    pub other_names: &'static [&'static str],
}

impl NegotiateFlags {
    /// The rows of [`FLAGS`] for the bits that are set, highest bit first.
    pub fn info(self) -> impl Iterator<Item = &'static FlagInfo> {
        FLAGS.iter().filter(move |row| self.contains(row.flag))
    }

    /// Whether Unicode or OEM text was settled on; without either a message is invalid.
    #[must_use]
    pub const fn has_charset(self) -> bool {
        self.intersects(Self::NEGOTIATE_UNICODE.union(Self::NEGOTIATE_OEM))
    }

    /// Whether messages are protected: SIGN or SEAL.
    #[must_use]
    pub const fn protects(self) -> bool {
        self.intersects(Self::NEGOTIATE_SIGN.union(Self::NEGOTIATE_SEAL))
    }
}

/// Makes of one table both [`NegotiateFlags`] and [`FLAGS`], so that each fact stands once.
macro_rules! negotiate_flags {
    ($($bit:literal $letter:literal $flag:ident $name:literal $meaning:literal [$($other:literal),*])*) => {
        bitflags! {
            /// What the two ends ask of each other and agree on: `NegotiateFlags` (MS-NLMP 2.2.2.5).
            ///
            /// Constants carry the specification's names without `NTLMSSP_`. Every bit can be held,
            /// reserved ones too, so what was decoded encodes to the same bytes.
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
            pub struct NegotiateFlags: u32 {
                $(#[doc = $meaning] const $flag = 1 << $bit;)*
            }
        }

        /// All 32 flags, bit 31 first, as the specification lists them.
        pub static FLAGS: [FlagInfo; 32] = [$(FlagInfo {
            flag: NegotiateFlags::$flag,
            bit: $bit,
            letter: $letter,
            name: $name,
            meaning: $meaning,
            other_names: &[$($other),*],
        }),*];
    };
}

// Other names, in this order where there are several: older or other spellings in code (Samba,
// FreeRDP, Wireshark), Davenport's table (Eric Glass, "The NTLM Authentication Protocol"),
// Wireshark's display names, Windows policies. Where only upper and lower case differ, one stands.
negotiate_flags! {
    31 "W" NEGOTIATE_56 "NTLMSSP_NEGOTIATE_56"
        "Session keys may be cut to 56 bits, where 128 was not agreed too."
        ["Negotiate 56"]
    30 "V" NEGOTIATE_KEY_EXCH "NTLMSSP_NEGOTIATE_KEY_EXCH"
        "The client chooses the session key itself and sends it encrypted in the AUTHENTICATE_MESSAGE."
        ["NTLMSSP_NEGOTIATE_KEY_EXCHANGE", "Negotiate Key Exchange"]
    29 "U" NEGOTIATE_128 "NTLMSSP_NEGOTIATE_128"
        "Session keys are 128 bits long."
        ["Negotiate 128", "Require 128-bit encryption"]
    28 "r1" RESERVED1 "NTLMSSP_RESERVED1"
        "Reserved: must be zero, and a receiver ignores it."
        ["NTLMSSP_NEGOTIATE_10000000", "Negotiate 0x10000000"]
    27 "r2" RESERVED2 "NTLMSSP_RESERVED2"
        "Reserved: must be zero, and a receiver ignores it."
        ["NTLMSSP_NEGOTIATE_08000000", "Negotiate 0x08000000"]
    26 "r3" RESERVED3 "NTLMSSP_RESERVED3"
        "Reserved: must be zero, and a receiver ignores it."
        ["NTLMSSP_NEGOTIATE_04000000", "Negotiate 0x04000000"]
    25 "T" NEGOTIATE_VERSION "NTLMSSP_NEGOTIATE_VERSION"
        "The Version field says which release sent the message, for debugging only."
        ["Negotiate Version"]
    24 "r4" RESERVED4 "NTLMSSP_RESERVED4"
        "Reserved: must be zero, and a receiver ignores it."
        ["NTLMSSP_NEGOTIATE_01000000", "Negotiate 0x01000000"]
    23 "S" NEGOTIATE_TARGET_INFO "NTLMSSP_NEGOTIATE_TARGET_INFO"
        "The CHALLENGE_MESSAGE carries TargetInfo, the list of what the server says of itself."
        ["NTLMSSP_CHAL_TARGET_INFO", "Negotiate Target Info"]
    22 "R" REQUEST_NON_NT_SESSION_KEY "NTLMSSP_REQUEST_NON_NT_SESSION_KEY"
        "The session key is made from the LM hash of the password instead of the NT hash."
        ["NTLMSSP_REQUEST_NON_NT_SESSION", "Request Non-NT Session Key", "Request Non-NT Session"]
    21 "r5" RESERVED5 "NTLMSSP_RESERVED5"
        "Reserved: must be zero, and a receiver ignores it."
        ["NTLMSSP_NEGOTIATE_00200000", "Request Accept Response", "Negotiate 0x00200000"]
    20 "Q" NEGOTIATE_IDENTIFY "NTLMSSP_NEGOTIATE_IDENTIFY"
        "The server may learn who the client is, but not act in its name."
        ["NTLMSSP_NEGOTIATE_00100000", "Request Init Response", "Negotiate Identify"]
    19 "P" NEGOTIATE_EXTENDED_SESSIONSECURITY "NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY"
        "Signing and sealing use one key for each direction and HMAC-MD5; with NTLM v1 the client adds a challenge of its own to the response."
        ["NTLMSSP_NEGOTIATE_NTLM2", "NTLMSSP_NEGOTIATE_EXTENDED_SESSION_SECURITY",
         "NTLMSSP_NEGOTIATE_EXTENDED_SECURITY", "Negotiate NTLM2 Key", "NTLM2 key",
         "NTLM2 session security", "NTLM2 session response", "Negotiate Extended Session Security",
         "Negotiate Extended Security", "Require NTLMv2 session security", "ESS"]
    18 "r6" TARGET_TYPE_SHARE "NTLMSSP_TARGET_TYPE_SHARE"
        "Reserved; once said that TargetName names a share."
        ["NTLMSSP_RESERVED6", "Target Type Share", "Negotiate 0x00040000"]
    17 "O" TARGET_TYPE_SERVER "NTLMSSP_TARGET_TYPE_SERVER"
        "TargetName, in a CHALLENGE_MESSAGE, names a server."
        ["Target Type Server"]
    16 "N" TARGET_TYPE_DOMAIN "NTLMSSP_TARGET_TYPE_DOMAIN"
        "TargetName, in a CHALLENGE_MESSAGE, names a domain."
        ["Target Type Domain"]
    15 "M" NEGOTIATE_ALWAYS_SIGN "NTLMSSP_NEGOTIATE_ALWAYS_SIGN"
        "There is a session key even if nothing is signed or sealed; signatures are then constant dummies."
        ["Negotiate Always Sign"]
    14 "r7" LOCAL_CALL "NTLMSSP_NEGOTIATE_LOCAL_CALL"
        "Reserved; both ends are on one machine and the server finds the client's identity there, so nothing is proved by a response."
        ["NTLMSSP_NEGOTIATE_THIS_IS_LOCAL_CALL", "NTLMSSP_RESERVED7", "NTLMSSP_NEGOTIATE_00004000",
         "Negotiate Local Call", "Negotiate 0x00004000"]
    13 "L" NEGOTIATE_OEM_WORKSTATION_SUPPLIED "NTLMSSP_NEGOTIATE_OEM_WORKSTATION_SUPPLIED"
        "The NEGOTIATE_MESSAGE names the client's machine."
        ["NTLMSSP_NEGOTIATE_WORKSTATION_SUPPLIED", "Negotiate Workstation Supplied",
         "Negotiate OEM Workstation Supplied"]
    12 "K" NEGOTIATE_OEM_DOMAIN_SUPPLIED "NTLMSSP_NEGOTIATE_OEM_DOMAIN_SUPPLIED"
        "The NEGOTIATE_MESSAGE names the client's domain."
        ["NTLMSSP_NEGOTIATE_DOMAIN_SUPPLIED", "Negotiate Domain Supplied",
         "Negotiate OEM Domain Supplied"]
    11 "J" ANONYMOUS "NTLMSSP_ANONYMOUS"
        "The client logs on as nobody; servers go by the empty names and responses instead."
        ["NTLMSSP_NEGOTIATE_ANONYMOUS", "NTLMSSP_NEGOTIATE_00000800", "Negotiate Anonymous",
         "Negotiate 0x00000800"]
    10 "r8" NT_ONLY "NTLMSSP_NEGOTIATE_NT_ONLY"
        "Reserved; some Windows clients ask by it that no LM response be used, and no server heeds it."
        ["NTLMSSP_RESERVED8", "Negotiate NT Only"]
    9 "H" NEGOTIATE_NTLM "NTLMSSP_NEGOTIATE_NTLM"
        "NTLM session security is used; always set in NEGOTIATE_MESSAGE and CHALLENGE_MESSAGE."
        ["NTLMSSP_NEGOTIATE_NTLM_KEY", "Negotiate NTLM", "Negotiate NTLM key"]
    8 "r9" NETWARE "NTLMSSP_NEGOTIATE_NETWARE"
        "Reserved; meant for NetWare servers, never used."
        ["NTLMSSP_RESERVED9", "NTLMSSP_NEGOTIATE_00000100", "Negotiate NetWare", "Negotiate 0x00000100"]
    7 "G" NEGOTIATE_LM_KEY "NTLMSSP_NEGOTIATE_LM_KEY"
        "Signing and sealing use the weak LAN Manager session key; ignored once extended session security is agreed."
        ["Negotiate Lan Manager Key"]
    6 "F" NEGOTIATE_DATAGRAM "NTLMSSP_NEGOTIATE_DATAGRAM"
        "Connectionless mode: the server speaks first and every message is keyed for itself."
        ["NTLMSSP_NEGOTIATE_DATAGRAM_STYLE", "Negotiate Datagram Style", "Negotiate Datagram"]
    5 "E" NEGOTIATE_SEAL "NTLMSSP_NEGOTIATE_SEAL"
        "Messages of the session are encrypted."
        ["Negotiate Seal", "Require message confidentiality"]
    4 "D" NEGOTIATE_SIGN "NTLMSSP_NEGOTIATE_SIGN"
        "Messages of the session carry a signature."
        ["Negotiate Sign", "Require message integrity"]
    3 "r10" RESERVED10 "NTLMSSP_RESERVED10"
        "Reserved: must be zero, and a receiver ignores it."
        ["NTLMSSP_NEGOTIATE_00000008", "Negotiate 0x00000008"]
    2 "C" REQUEST_TARGET "NTLMSSP_REQUEST_TARGET"
        "The client wants the server's TargetName, or the server supplies it."
        ["Request Target"]
    1 "B" NEGOTIATE_OEM "NTLM_NEGOTIATE_OEM"
        "Names are in the OEM code page, unless UNICODE is set too."
        ["NTLMSSP_NEGOTIATE_OEM", "Negotiate OEM"]
    0 "A" NEGOTIATE_UNICODE "NTLMSSP_NEGOTIATE_UNICODE"
        "Names are in UTF-16LE."
        ["Negotiate Unicode"]
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::collections::HashSet;
    use std::format;
    use std::vec::Vec;

    #[test]
    fn every_bit_has_one_row_from_31_down() {
        let bits: Vec<u8> = FLAGS.iter().map(|row| row.bit).collect();
        assert_eq!(bits, (0..32).rev().collect::<Vec<u8>>());
        assert!(FLAGS.iter().all(|row| row.flag.bits() == 1 << row.bit));
    }

    #[test]
    fn letters_run_as_in_the_specification() {
        let letters: Vec<&str> = FLAGS.iter().map(|row| row.letter).collect();
        let drawing = "W V U r1 r2 r3 T r4 S R r5 Q P r6 O N M r7 L K J r8 H r9 G F E D r10 C B A";
        assert_eq!(letters, drawing.split(' ').collect::<Vec<_>>());
    }

    #[test]
    fn no_two_flags_share_a_name() {
        let names = FLAGS
            .iter()
            .flat_map(|row| [row.name].into_iter().chain(row.other_names.iter().copied()));
        let names: Vec<_> = names.map(str::to_ascii_uppercase).collect();
        let distinct: HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn constants_are_named_as_the_specification_names_the_flag() {
        let constants: Vec<_> = NegotiateFlags::all().iter_names().collect();
        for (row, (constant, flag)) in FLAGS.iter().zip(constants) {
            assert_eq!(row.flag, flag);
            assert!(row.name.ends_with(constant), "{constant} is not the end of {}", row.name);
        }
    }

    #[test]
    fn meanings_are_sentences() {
        assert!(FLAGS.iter().all(|row| row.meaning.ends_with('.') && !row.meaning.contains('\n')));
    }

    #[test]
    fn reserved_bits_are_kept() {
        for bits in [0, 0x1c00_0000, 0x0120_4508, u32::MAX] {
            assert_eq!(NegotiateFlags::from_bits_retain(bits).bits(), bits);
            assert_eq!(NegotiateFlags::from_bits(bits).map(|flags| flags.bits()), Some(bits));
        }
    }

    /// The flags of the specification's three examples (4.2.2, 4.2.3, 4.2.4), by name.
    #[test]
    fn published_flags_have_the_published_names() {
        let common = NegotiateFlags::NEGOTIATE_56
            | NegotiateFlags::NEGOTIATE_VERSION
            | NegotiateFlags::TARGET_TYPE_SERVER
            | NegotiateFlags::NEGOTIATE_ALWAYS_SIGN
            | NegotiateFlags::NEGOTIATE_NTLM
            | NegotiateFlags::NEGOTIATE_SEAL
            | NegotiateFlags::NEGOTIATE_SIGN
            | NegotiateFlags::NEGOTIATE_OEM
            | NegotiateFlags::NEGOTIATE_UNICODE;
        let strong = NegotiateFlags::NEGOTIATE_KEY_EXCH | NegotiateFlags::NEGOTIATE_128;
        let ess = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
        let target_info = NegotiateFlags::NEGOTIATE_TARGET_INFO;

        assert_eq!((common | strong).bits(), 0xe202_8233);
        assert_eq!((common | ess).bits(), 0x820a_8233);
        assert_eq!((common | strong | ess | target_info).bits(), 0xe28a_8233);
    }

    /// What a Windows domain controller answers a Windows 10 client.
    #[test]
    fn info_lists_the_set_flags_highest_first() {
        let flags = NegotiateFlags::from_bits_retain(0xe289_8215);
        let letters: Vec<&str> = flags.info().map(|row| row.letter).collect();
        assert_eq!(letters, ["W", "V", "U", "T", "S", "P", "N", "M", "H", "D", "C", "A"]);
        assert_eq!(NegotiateFlags::empty().info().count(), 0);
        assert_eq!(NegotiateFlags::all().info().count(), 32);
    }

    #[test]
    fn debug_prints_names() {
        let flags = NegotiateFlags::NEGOTIATE_UNICODE | NegotiateFlags::NEGOTIATE_128;
        assert_eq!(format!("{flags:?}"), "NegotiateFlags(NEGOTIATE_128 | NEGOTIATE_UNICODE)");
    }
}
