//! A few calls of SAMR, whose answers are known (MS-SAMR 3.1.5).

use crate::wire::Wire;
use ntlm_netlogon::client::{Association, AssociationError};
use ntlm_netlogon::pdu::{SyntaxId, Uuid};

pub(crate) const SAMR: SyntaxId = SyntaxId {
    uuid: Uuid::from_fields(
        0x1234_5778,
        0x1234,
        0xabcd,
        [0xef, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xac],
    ),
    major: 1,
    minor: 0,
};

const CONNECT_2: u16 = 57;
const LOOKUP_DOMAIN: u16 = 5;
const OPEN_DOMAIN: u16 = 7;
const LOOKUP_NAMES: u16 = 17;
const MAXIMUM_ALLOWED: u32 = 0x0200_0000;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().copied().flat_map(u32::to_le_bytes).collect()
}

fn word(stub: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(stub[at..at + 4].try_into().unwrap())
}

/// MaximumCount, Offset, ActualCount and the text, padded to 4.
fn text(text: &str, terminator: &[u16]) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().chain(terminator.iter().copied()).collect();
    let count = u32::try_from(units.len()).unwrap();
    let mut bytes = words(&[count, 0, count]);
    bytes.extend(units.into_iter().flat_map(u16::to_le_bytes));
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Length, MaximumLength and the pointer of RPC_UNICODE_STRING.
fn header(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.encode_utf16().count() * 2).unwrap();
    words(&[length << 16 | length, 0x0002_0000])
}

/// Looks names up in CORP: the SID of the domain, and the RID of each name. Each call is one more
/// fragment, or several, that have to be protected as the controller expects.
pub(crate) fn look_up(
    wire: &mut Wire,
    association: Association,
    names: &[&str],
) -> Result<(String, Vec<u32>), AssociationError> {
    let server = [words(&[0x0002_0000]), text("\\\\DC1", &[0])].concat();
    let stub = [server, words(&[MAXIMUM_ALLOWED])].concat();
    let (answer, association) = wire.call(association, CONNECT_2, &stub)?;
    assert_eq!((answer.len(), word(&answer, 20)), (24, 0), "SamrConnect2");
    let handle = &answer[..20];

    let stub = [handle, &header("CORP"), &text("CORP", &[])].concat();
    let (answer, association) = wire.call(association, LOOKUP_DOMAIN, &stub)?;
    let status = answer.len() - 4;
    assert_eq!(word(&answer, status), 0, "SamrLookupDomainInSamServer");
    // A pointer, then the count and the SID.
    let sid = &answer[4..status];
    assert_eq!(word(sid, 0), 4, "four sub-authorities");
    let parts: Vec<String> = (0..4).map(|part| word(sid, 12 + 4 * part).to_string()).collect();
    let domain = format!("S-1-{}-{}", sid[11], parts.join("-"));

    let stub = [handle, &words(&[MAXIMUM_ALLOWED]), sid].concat();
    let (answer, association) = wire.call(association, OPEN_DOMAIN, &stub)?;
    assert_eq!((answer.len(), word(&answer, 20)), (24, 0), "SamrOpenDomain");

    let count = u32::try_from(names.len()).unwrap();
    let mut stub = [&answer[..20], &words(&[count, 1000, 0, count])].concat();
    names.iter().for_each(|name| stub.extend(header(name)));
    names.iter().for_each(|name| stub.extend(text(name, &[])));
    let (answer, _) = wire.call(association, LOOKUP_NAMES, &stub)?;
    assert_eq!(word(&answer, answer.len() - 4), 0, "SamrLookupNamesInDomain");
    assert_eq!((word(&answer, 0), word(&answer, 8)), (count, count));
    Ok((domain, (0..names.len()).map(|index| word(&answer, 12 + 4 * index)).collect()))
}
