//! Object identifiers of the mechanisms that SPNEGO carries on Windows (MS-SPNG 1.9).

use ntlm::der::ObjectIdentifier;

/// NTLM: 1.3.6.1.4.1.311.2.2.10.
pub const NTLM: ObjectIdentifier<'static> =
    ObjectIdentifier(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a]);
/// NEGOEX (MS-NEGOEX): 1.3.6.1.4.1.311.2.2.30.
pub const NEGOEX: ObjectIdentifier<'static> =
    ObjectIdentifier(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x1e]);
/// Kerberos 5: 1.2.840.113554.1.2.2.
pub const KERBEROS: ObjectIdentifier<'static> =
    ObjectIdentifier(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02]);
/// Kerberos 5 as Windows 2000 spelled it, which cut a number to 16 bits: 1.2.840.48018.1.2.2.
/// Windows still offers it first; who accepts it must answer with it.
pub const MS_KERBEROS: ObjectIdentifier<'static> =
    ObjectIdentifier(&[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02]);
/// Kerberos 5 user to user: 1.2.840.113554.1.2.2.3.
pub const KERBEROS_USER_TO_USER: ObjectIdentifier<'static> =
    ObjectIdentifier(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x03]);

/// What a Windows server offers that can do all of them, in its order.
pub const WINDOWS: [ObjectIdentifier<'static>; 4] = [MS_KERBEROS, KERBEROS, NTLM, NEGOEX];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn object_identifiers_are_those_of_the_specification() {
        let dotted = WINDOWS.map(|mech| mech.to_string());
        let expected = [
            "1.2.840.48018.1.2.2",
            "1.2.840.113554.1.2.2",
            "1.3.6.1.4.1.311.2.2.10",
            "1.3.6.1.4.1.311.2.2.30",
        ];
        assert_eq!(dotted, expected);
        assert_eq!(KERBEROS_USER_TO_USER.to_string(), "1.2.840.113554.1.2.2.3");
    }
}
