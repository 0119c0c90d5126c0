//! `ntlm decode`.

use crate::args::DecodeArgs;
use crate::failure::Failure;
use crate::screen;
use ntlm_explain::{Decoded, NoToken, Token, render};
use std::io::{BufRead, Read};
use std::path::Path;
use std::process::ExitCode;

/// More than any token; what is longer is a capture, and belongs to `explain`.
const MAX_FILE: u64 = 16 << 20;

pub(crate) fn run(args: &DecodeArgs) -> Result<ExitCode, Failure> {
    let mut all_good = true;
    for given in &args.tokens {
        if given == "-" {
            for (number, line) in std::io::stdin().lock().lines().enumerate() {
                let line = line.map_err(|error| Failure::io("standard input", &error))?;
                if !line.trim().is_empty() {
                    let label = format!("standard input, line {}", number + 1);
                    all_good &= show(&label, Token::from_text(&line), args)?;
                }
            }
        } else if Path::new(given).is_file() {
            let token = read_file(Path::new(given))?;
            all_good &= show(given, token, args)?;
        } else {
            all_good &= show("token", Token::from_text(given), args)?;
        }
    }
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// A file holds the bytes themselves, or text.
pub(crate) fn read_file(path: &Path) -> Result<Result<Token, NoToken>, Failure> {
    let label = path.display().to_string();
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
        .map_err(|error| Failure::io(&label, &error))?;
    Ok(match Token::from_bytes(&bytes) {
        Ok(token) => Ok(token),
        Err(no_token) => match std::str::from_utf8(&bytes) {
            Ok(text) => Token::from_text(text),
            Err(_) => Err(no_token),
        },
    })
}

fn show(label: &str, token: Result<Token, NoToken>, args: &DecodeArgs) -> Result<bool, Failure> {
    let token = match token {
        Ok(token) => token,
        Err(why) => {
            anstream::eprintln!("ntlm: {label}: {why}");
            return Ok(false);
        }
    };
    match Decoded::new(&token.bytes, args.code_page.into()) {
        Ok(decoded) if args.json => {
            let json =
                serde_json::to_string(&decoded).map_err(|error| Failure::new(error.to_string()))?;
            screen::print(&format!("{json}\n"))?;
            Ok(true)
        }
        Ok(decoded) => {
            if token.offset > 0 {
                let around = token.offset;
                screen::print(&format!(
                    "The message begins behind {around} bytes of SPNEGO or so.\n"
                ))?;
            }
            screen::print(&render::message(&decoded, screen::layout()))?;
            Ok(true)
        }
        Err(error) => {
            anstream::eprintln!("ntlm: {label}: {error}");
            Ok(false)
        }
    }
}
