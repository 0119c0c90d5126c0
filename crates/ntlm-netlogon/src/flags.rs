//! NegotiateFlags of the secure channel (MS-NRPC 3.1.4.2). NTLM's have nothing to do with them.

use bitflags::bitflags;

bitflags! {
    /// What both ends of a secure channel can do (MS-NRPC 3.1.4.2). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct NegotiateFlags: u32 {
        /// C: RC4.
        const RC4 = 0x0000_0004;
        /// G: validation level 3.
        const VALIDATION_SAM_INFO2 = 0x0000_0040;
        /// O: strong keys: a session key of 128 bits.
        const STRONG_KEYS = 0x0000_4000;
        /// P: logons through transitive trusts.
        const TRANSITIVE_TRUSTS = 0x0000_8000;
        /// R: NetrServerPasswordSet2.
        const PASSWORD_SET_2 = 0x0002_0000;
        /// S: NetrLogonGetDomainInfo.
        const GET_DOMAIN_INFO = 0x0004_0000;
        /// T: cross-forest trusts.
        const CROSS_FOREST_TRUSTS = 0x0008_0000;
        /// W: AES-128 in 8-bit CFB mode, and SHA2.
        const AES_SHA2 = 0x0100_0000;
        /// Y: the channel protects RPC.
        const SECURE_RPC = 0x4000_0000;
    }
}

impl NegotiateFlags {
    /// What Windows members offer.
    pub const OFFERED: Self = Self::from_bits_retain(0x612f_ffff);
}
