//! A capture of one exchange over HTTP, with names as one likes.

/// The capture, with raw IPv4 packets.
pub(crate) fn capture(user: &str, workstation: &str, domain: &str) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(101_u32.to_le_bytes());
    let negotiate = base64(&message(1, &[], &[0x97, 0x82, 0x08, 0xe2]));
    let challenge = base64(&challenge());
    let authenticate = base64(&authenticate(user, workstation, domain));
    let request =
        |token: &str| format!("GET / HTTP/1.1\r\nHost: web\r\nAuthorization: NTLM {token}\r\n\r\n");
    let refusal = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM {challenge}\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let mut at = [1000_u32, 5000];
    packet(&mut file, 0, &mut at, SYN, b"");
    packet(&mut file, 1, &mut at, SYN | ACK, b"");
    packet(&mut file, 0, &mut at, ACK, request(&negotiate).as_bytes());
    packet(&mut file, 1, &mut at, ACK, refusal.as_bytes());
    packet(&mut file, 0, &mut at, ACK, request(&authenticate).as_bytes());
    packet(&mut file, 1, &mut at, ACK, answer.as_bytes());
    file
}

const SYN: u8 = 2;
const ACK: u8 = 16;

/// One segment; `from` is 0 for the client, 1 for the server.
fn packet(file: &mut Vec<u8>, from: usize, at: &mut [u32; 2], flags: u8, data: &[u8]) {
    let (addresses, ports) = ([[10, 0, 0, 1], [10, 0, 0, 2]], [40_000_u16, 80]);
    let length = u16::try_from(40 + data.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    packet.extend(addresses[from]);
    packet.extend(addresses[1 - from]);
    packet.extend(ports[from].to_be_bytes());
    packet.extend(ports[1 - from].to_be_bytes());
    packet.extend(at[from].to_be_bytes());
    packet.extend(at[1 - from].to_be_bytes());
    packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(data);
    at[from] += u32::try_from(data.len()).unwrap() + u32::from(flags & SYN != 0);
    file.extend(1_700_000_000_u32.to_le_bytes());
    file.extend([0; 4]);
    file.extend(u32::from(length).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file.extend(packet);
}

fn message(kind: u32, fields: &[u8], flags: &[u8]) -> Vec<u8> {
    let mut message = b"NTLMSSP\0".to_vec();
    message.extend(kind.to_le_bytes());
    message.extend(fields);
    message.extend(flags);
    message.extend([0; 24]);
    message
}

fn challenge() -> Vec<u8> {
    let mut message = b"NTLMSSP\0".to_vec();
    message.extend(2_u32.to_le_bytes());
    message.extend([0, 0, 0, 0, 48, 0, 0, 0]);
    message.extend([0x05, 0x82, 0x08, 0x00]);
    message.extend(*b"\x01\x23\x45\x67\x89\xab\xcd\xef");
    message.extend([0; 8]);
    message.extend([0, 0, 0, 0, 48, 0, 0, 0]);
    message
}

fn authenticate(user: &str, workstation: &str, domain: &str) -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let payload =
        [vec![7; 24], vec![9; 24], utf16(domain), utf16(user), utf16(workstation), Vec::new()];
    let mut message = b"NTLMSSP\0".to_vec();
    message.extend(3_u32.to_le_bytes());
    let mut offset = 64_u32;
    for part in &payload {
        let length = u16::try_from(part.len()).unwrap();
        message.extend(length.to_le_bytes());
        message.extend(length.to_le_bytes());
        message.extend(offset.to_le_bytes());
        offset += u32::from(length);
    }
    message.extend([0x05, 0x82, 0x08, 0x00]);
    message.extend(payload.concat());
    message
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| u32::from(part.get(at).copied().unwrap_or(0)));
        let bits = a << 16 | b << 8 | c;
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = DIGITS[usize::try_from(bits >> shift & 63).unwrap()];
            text.push(if at <= part.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
