use std::io::{self, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::{
    bytes::{index, wide},
    error::{Part, Problem},
};

pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

const BUFFER: usize = 64 << 10;

/// Members of a gzip file, one after the other (RFC 1952).
///
/// `flate2::read` would lose what its last call had decompressed before the damage, hence its engine and
/// the framing here.
pub(crate) struct Gzip {
    compressed: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `start`, in the file.
    offset: u64,
    member_offset: u64,
    state: State,
    inflate: Decompress,
    crc: Crc,
    /// Found while bytes before it still had to be handed out.
    pending: Option<Problem>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Body,
    Trailer,
    Ended,
}

impl Gzip {
    /// `start` is what was read of the file so far.
    pub(crate) fn new(start: &[u8]) -> Self {
        let mut compressed = start.to_vec();
        compressed.resize(BUFFER.max(start.len()), 0);
        Self {
            compressed,
            start: 0,
            end: start.len(),
            offset: 0,
            member_offset: 0,
            state: State::Header,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            pending: None,
        }
    }

    /// Where in the file the reading stands.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Fills some of `out`; 0 means the end.
    pub(crate) fn read(&mut self, input: &mut impl Read, out: &mut [u8]) -> Result<usize, Problem> {
        if let Some(problem) = self.pending.take() {
            self.state = State::Ended;
            return Err(problem);
        }
        loop {
            match self.state {
                State::Header => self.header(input)?,
                State::Body => {
                    let count = self.body(input, out)?;
                    if count > 0 {
                        return Ok(count);
                    }
                }
                State::Trailer => self.trailer(input)?,
                State::Ended => return Ok(0),
            }
        }
    }

    fn header(&mut self, input: &mut impl Read) -> Result<(), Problem> {
        self.member_offset = self.offset;
        if self.bytes::<2>(input)? != MAGIC {
            return Err(Problem::GzipTrailing);
        }
        let [method, flags] = self.bytes(input)?;
        if method != 8 {
            return Err(Problem::GzipMethod);
        }
        let _time_flags_system: [u8; 6] = self.bytes(input)?;
        if flags & 0x04 != 0 {
            let extra = u16::from_le_bytes(self.bytes(input)?);
            for _ in 0..extra {
                let _extra: [u8; 1] = self.bytes(input)?;
            }
        }
        let (name, comment) = (flags & 0x08 != 0, flags & 0x10 != 0);
        for _ in 0..u8::from(name) + u8::from(comment) {
            while self.bytes(input)? != [0] {}
        }
        if flags & 0x02 != 0 {
            let _header_crc: [u8; 2] = self.bytes(input)?;
        }
        self.inflate.reset(false);
        self.crc.reset();
        self.state = State::Body;
        Ok(())
    }

    fn body(&mut self, input: &mut impl Read, out: &mut [u8]) -> Result<usize, Problem> {
        if self.start == self.end {
            self.refill(input)?;
        }
        let compressed = self.compressed.get(self.start..self.end).unwrap_or_default();
        let at_end = compressed.is_empty();
        let (consumed, produced) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(compressed, out, FlushDecompress::None);
        let consumed = self.inflate.total_in() - consumed;
        let produced = index(self.inflate.total_out() - produced);
        self.consume(index(consumed));
        self.crc.update(out.get(..produced).unwrap_or_default());
        let problem = match status {
            Ok(Status::StreamEnd) => {
                self.state = State::Trailer;
                None
            }
            Ok(Status::Ok | Status::BufError) if at_end && produced == 0 => Some(self.truncated()),
            Ok(Status::Ok | Status::BufError) => None,
            Err(_) => Some(Problem::GzipCorrupt),
        };
        match problem {
            Some(problem) if produced == 0 => Err(problem),
            problem => {
                self.pending = problem;
                Ok(produced)
            }
        }
    }

    fn trailer(&mut self, input: &mut impl Read) -> Result<(), Problem> {
        let crc = u32::from_le_bytes(self.bytes(input)?);
        let length = u32::from_le_bytes(self.bytes(input)?);
        if (crc, length) != (self.crc.sum(), self.crc.amount()) {
            return Err(Problem::GzipChecksum);
        }
        // Tapes pad the last member with zeros, and gzip(1) accepts that.
        loop {
            if self.start == self.end && self.refill(input)? == 0 {
                self.state = State::Ended;
                return Ok(());
            }
            match self.compressed.get(self.start) {
                Some(0) => self.consume(1),
                _ => break,
            }
        }
        self.state = State::Header;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self, input: &mut impl Read) -> Result<[u8; N], Problem> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            if self.start == self.end && self.refill(input)? == 0 {
                return Err(self.truncated());
            }
            *byte = self.compressed.get(self.start).copied().unwrap_or_default();
            self.consume(1);
        }
        Ok(bytes)
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.offset += wide(count);
    }

    fn refill(&mut self, input: &mut impl Read) -> Result<usize, Problem> {
        self.start = 0;
        self.end = 0;
        self.end = read(input, &mut self.compressed)?;
        Ok(self.end)
    }

    fn truncated(&self) -> Problem {
        let found = self.offset - self.member_offset;
        Problem::Truncated { part: Part::GzipMember, expected: found + 1, found }
    }
}

/// One read, begun again if a signal interrupted it.
pub(crate) fn read(input: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A reader that claims more than it was given room for is wrong, but must not make us so.
            result => return result.map(|count| count.min(out.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder, write::GzEncoder};

    use super::*;

    fn compress(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decompress(mut input: &[u8]) -> (Vec<u8>, Option<Problem>) {
        let mut gzip = Gzip::new(&[]);
        let mut all = Vec::new();
        let mut out = [0; 1000];
        loop {
            match gzip.read(&mut input, &mut out) {
                Ok(0) => return (all, None),
                Ok(count) => all.extend_from_slice(&out[..count]),
                Err(problem) => return (all, Some(problem)),
            }
        }
    }

    fn noise(length: u32) -> Vec<u8> {
        (0..length).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_be_bytes()).collect()
    }

    #[test]
    fn members_are_joined_and_padding_is_ignored() {
        let (first, second) = (noise(50_000), noise(7));
        let mut file = compress(&first);
        let mut named = GzBuilder::new()
            .filename("a")
            .comment("b")
            .extra("c")
            .write(Vec::new(), Compression::best());
        named.write_all(&second).unwrap();
        file.extend(named.finish().unwrap());
        file.extend([0; 512]);
        let (bytes, problem) = decompress(&file);
        assert_eq!(bytes, [first, second].concat());
        assert!(problem.is_none());
    }

    #[test]
    fn everything_before_the_damage_comes_out() {
        let original = noise(20_000);
        let file = compress(&original);
        let (bytes, problem) = decompress(&file[..file.len() - 8]);
        assert_eq!(bytes, original);
        assert!(matches!(problem, Some(Problem::Truncated { part: Part::GzipMember, .. })));

        let mut corrupt = file.clone();
        let last = corrupt.len() - 1;
        corrupt[last] ^= 1;
        let (bytes, problem) = decompress(&corrupt);
        assert_eq!(bytes, original);
        assert!(matches!(problem, Some(Problem::GzipChecksum)));

        let half = &file[..file.len() / 2];
        let (bytes, problem) = decompress(half);
        assert!(original.starts_with(&bytes) && bytes.len() > original.len() / 3);
        assert!(matches!(problem, Some(Problem::Truncated { .. })));

        let mut garbage = half.to_vec();
        garbage.extend([0xff; 4000]);
        let (bytes, problem) = decompress(&garbage);
        assert!(original.starts_with(&bytes[..original.len() / 3]));
        assert!(problem.is_some());
    }

    #[test]
    fn what_is_no_member_is_an_error() {
        let mut file = compress(b"x");
        file.extend(b"yz");
        assert!(matches!(decompress(&file), (bytes, Some(Problem::GzipTrailing)) if bytes == b"x"));
        assert!(matches!(decompress(&[0x1f, 0x8b, 7, 0]), (_, Some(Problem::GzipMethod))));
        assert!(matches!(decompress(&[0x1f]), (_, Some(Problem::Truncated { .. }))));
    }
}
