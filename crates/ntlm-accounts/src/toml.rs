//! `[[account]]` tables.
//!
//! Read from the parser's events and not from a finished document, which would hold copies of the
//! secrets that nobody wipes. The events are places in the text; each value is decoded into a
//! buffer of ours.

use crate::account::{Account, NetlogonSessionKey, Secret};
use crate::error::{AccountsError, FieldDefect};
use crate::format::{Format, without_byte_order_mark};
use crate::hex;
use crate::read::{Reading, domain};
use ntlm::keys::{AccountSecret, ExportedSessionKey, Lmowfv1, Ntowfv1, Password};
use toml_parser::parser::{Event, EventKind, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Source};
use zeroize::Zeroizing;

const USER: &str = "user";
const DOMAIN: &str = "domain";
const PASSWORD: &str = "password";
const PASSWORD_UTF16LE: &str = "password_utf16le";
const NT_HASH: &str = "nt_hash";
const LM_HASH: &str = "lm_hash";
const EXPORTED_SESSION_KEY: &str = "exported_session_key";
const NETLOGON_SESSION_KEY: &str = "netlogon_session_key";
const SERVER_CHALLENGE: &str = "server_challenge";

const KEYS: [&str; 9] = [
    USER,
    DOMAIN,
    PASSWORD,
    PASSWORD_UTF16LE,
    NT_HASH,
    LM_HASH,
    EXPORTED_SESSION_KEY,
    NETLOGON_SESSION_KEY,
    SERVER_CHALLENGE,
];

pub(crate) fn read(text: &str, reading: &mut Reading) -> Result<(), AccountsError> {
    for table in tables(without_byte_order_mark(text), reading)? {
        let account = account(table, reading)?;
        reading.push(account)?;
    }
    Ok(())
}

/// One `[[account]]`.
struct Table {
    line: usize,
    fields: Vec<Field>,
}

struct Field {
    key: &'static str,
    line: usize,
    value: Zeroizing<String>,
}

/// Reads all tables: which keys each has, not yet what they mean together.
fn tables(text: &str, reading: &Reading) -> Result<Vec<Table>, AccountsError> {
    let document = Document::new(text, reading);
    let events = document.events()?;
    let mut tables = Vec::<Table>::new();
    let mut rest = events.as_slice();
    while let [(_, first), ..] = rest {
        let line = document.line(first.span().start());
        let not_an_account = || AccountsError::NotAnAccount { origin: reading.origin(line) };
        rest = match rest {
            [
                (EventKind::ArrayTableOpen, _),
                (EventKind::SimpleKey, name),
                (EventKind::ArrayTableClose, _),
                rest @ ..,
            ] if document.key(name)? == "account" => {
                tables.push(Table { line, fields: Vec::new() });
                rest
            }
            [(EventKind::SimpleKey, key), rest @ ..] => {
                let table = tables.last_mut().ok_or_else(not_an_account)?;
                let written = document.key(key)?;
                let known = KEYS.into_iter().find(|known| *known == written);
                let (Some(key), [(EventKind::KeyValSep, _), rest @ ..]) = (known, rest) else {
                    let origin = reading.origin(line);
                    return Err(AccountsError::UnknownKey { origin, key: written });
                };
                if table.fields.iter().any(|field| field.key == key) {
                    return Err(reading.defect(line, key, FieldDefect::Duplicate));
                }
                let [(EventKind::Scalar, value), rest @ ..] = rest else {
                    return Err(reading.defect(line, key, FieldDefect::NotText));
                };
                // What is no string has no quotation marks, which are its encoding here.
                if value.encoding().is_none() {
                    return Err(reading.defect(line, key, FieldDefect::NotText));
                }
                table.fields.push(Field { key, line, value: document.value(value)? });
                rest
            }
            _ => return Err(not_an_account()),
        };
    }
    Ok(tables)
}

/// What the keys of a table mean together.
fn account(mut table: Table, reading: &Reading) -> Result<Account, AccountsError> {
    let mut take = |key| {
        let place = table.fields.iter().position(|field| field.key == key)?;
        Some(table.fields.swap_remove(place))
    };
    let user = take(USER);
    let domain_name = take(DOMAIN);
    let (password, password_utf16le) = (take(PASSWORD), take(PASSWORD_UTF16LE));
    let (nt_hash, lm_hash) = (take(NT_HASH), take(LM_HASH));
    let (session_key, server_challenge) = (take(EXPORTED_SESSION_KEY), take(SERVER_CHALLENGE));
    let netlogon_key = take(NETLOGON_SESSION_KEY);

    let line = table.line;
    let missing = |key| reading.defect(line, key, FieldDefect::Missing);
    let user = user.ok_or_else(|| missing(USER))?;
    let user = reading.user(user.line, &user.value)?;

    let mut secrets: Vec<&Field> =
        [&password, &password_utf16le, &nt_hash, &session_key, &netlogon_key]
            .into_iter()
            .flatten()
            .collect();
    secrets.sort_by_key(|field| field.line);
    if let [_, second, ..] = secrets.as_slice() {
        return Err(reading.defect(second.line, second.key, FieldDefect::SecondSecret));
    }
    for (companion, of, is_there) in [
        (&lm_hash, NT_HASH, nt_hash.is_some()),
        (&server_challenge, EXPORTED_SESSION_KEY, session_key.is_some() || netlogon_key.is_some()),
    ] {
        if let (Some(companion), false) = (companion, is_there) {
            let defect = FieldDefect::OnlyWith(of);
            return Err(reading.defect(companion.line, companion.key, defect));
        }
    }

    let secret = if let Some(field) = password {
        let password = Password::from(field.value.as_str());
        Secret::Account(AccountSecret::from_password(&password, reading.code_page))
    } else if let Some(field) = password_utf16le {
        let bytes = hex::bytes(&field.value);
        let password = bytes
            .and_then(|bytes| Password::from_utf16le(&bytes))
            .ok_or_else(|| reading.defect(field.line, field.key, FieldDefect::NotUtf16Hex))?;
        Secret::Account(AccountSecret::from_password(&password, reading.code_page))
    } else if let Some(field) = nt_hash {
        let nt_hash = Ntowfv1::new(*field.hex(reading)?);
        let lm_hash = lm_hash.map(|field| field.hex(reading)).transpose()?;
        let lm_hash = lm_hash.map(|bytes| Lmowfv1::new(*bytes));
        Secret::Account(AccountSecret::from_hashes(nt_hash, lm_hash))
    } else if let Some(field) = session_key {
        let server_challenge = server_challenge.ok_or_else(|| missing(SERVER_CHALLENGE))?;
        Secret::ExportedSessionKey {
            exported_session_key: ExportedSessionKey::new(*field.hex(reading)?),
            server_challenge: *server_challenge.hex(reading)?,
        }
    } else if let Some(field) = netlogon_key {
        let server_challenge = server_challenge.map(|field| field.hex(reading)).transpose()?;
        Secret::NetlogonSessionKey {
            netlogon_session_key: NetlogonSessionKey::new(field.hex(reading)?),
            server_challenge: server_challenge.map(|bytes| *bytes),
        }
    } else {
        return Err(AccountsError::NoSecret { origin: reading.origin(line) });
    };
    Ok(Account {
        user,
        domain: domain_name.and_then(|field| domain(&field.value)),
        secret,
        disabled: false,
        origin: reading.origin(line),
    })
}

impl Field {
    /// Its value, `N` bytes in hex.
    fn hex<const N: usize>(&self, reading: &Reading) -> Result<Zeroizing<[u8; N]>, AccountsError> {
        let defect = FieldDefect::NotHex { digits: 2 * N };
        hex::array(&self.value).ok_or_else(|| reading.defect(self.line, self.key, defect))
    }
}

/// The text, and how to come from the parser's places back to it.
struct Document<'a> {
    source: Source<'a>,
    /// Where its lines end, in ascending order.
    line_ends: Vec<usize>,
    reading: &'a Reading,
}

impl<'a> Document<'a> {
    fn new(text: &'a str, reading: &'a Reading) -> Self {
        let line_ends = text.match_indices('\n').map(|(offset, _)| offset).collect();
        Self { source: Source::new(text), line_ends, reading }
    }

    /// All that is not blank.
    fn events(&self) -> Result<Vec<(EventKind, Event)>, AccountsError> {
        let tokens = self.source.lex().into_vec();
        let mut events = Vec::new();
        let mut keep = |event: Event| match event.kind() {
            EventKind::Whitespace | EventKind::Comment | EventKind::Newline => {}
            kind => events.push((kind, event)),
        };
        let mut error = None::<ParseError>;
        let mut receiver = ValidateWhitespace::new(&mut keep, self.source);
        // No value of ours is an array or a table, so they need not be followed far.
        let mut receiver = RecursionGuard::new(&mut receiver, 16);
        parse_document(&tokens, &mut receiver, &mut error);
        self.check(error)?;
        Ok(events)
    }

    fn key(&self, event: &Event) -> Result<String, AccountsError> {
        let mut key = String::new();
        self.decode(event, |raw, error| raw.decode_key(&mut key, error))?;
        Ok(key)
    }

    fn value(&self, event: &Event) -> Result<Zeroizing<String>, AccountsError> {
        // No escape is shorter than what it stands for, so the buffer never moves.
        let mut value = Zeroizing::new(String::with_capacity(event.span().len()));
        self.decode(event, |raw, error| {
            // Which kind it is its encoding has said already.
            let _ = raw.decode_scalar(&mut *value, error);
        })?;
        Ok(value)
    }

    fn decode(
        &self,
        event: &Event,
        decode: impl FnOnce(toml_parser::Raw<'a>, &mut dyn ErrorSink),
    ) -> Result<(), AccountsError> {
        let mut error = None::<ParseError>;
        match self.source.get(event) {
            Some(raw) => decode(raw, &mut error),
            None => return Err(self.syntax(event.span().start())),
        }
        self.check(error)
    }

    fn check(&self, error: Option<ParseError>) -> Result<(), AccountsError> {
        error.map_or(Ok(()), |error| {
            let span = error.unexpected().or_else(|| error.context());
            Err(self.syntax(span.map_or(0, |span| span.start())))
        })
    }

    fn syntax(&self, offset: usize) -> AccountsError {
        let origin = self.reading.origin(self.line(offset));
        AccountsError::Syntax { origin, format: Format::Toml }
    }

    /// The line of a place, counted from 1.
    fn line(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|&end| end < offset).saturating_add(1)
    }
}
