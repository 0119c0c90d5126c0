//! What is worth saying about a capture as a whole: what is missing in it that no exchange can name.
//!
//! However large the capture, there is one finding of a kind, with how often it was met and where first.

use crate::finding::{FindingCode, Severity};
use ntlm_capture::{CaptureError, EndReason, Endpoints, NoticeKind, Origin};
use serde::Serialize;
use std::fmt::Display;

/// A finding about a capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaptureFinding {
    /// What it is.
    pub code: FindingCode,
    /// How much it matters.
    pub severity: Severity,
    /// In words, for this capture.
    pub message: String,
    /// How often it was met, at least once.
    pub count: u64,
    /// Where it was met first.
    pub at: CapturePlace,
}

/// A place in a capture: a frame, or a byte of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CapturePlace {
    /// The frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// The file, where it is one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where damage begins, in bytes of the file, or of what comes out of it if it is compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// What there is to say of a capture that was read to its end.
#[derive(Debug, Default)]
pub struct CaptureReport {
    /// What is worth saying.
    pub findings: Vec<CaptureFinding>,
    /// Files that could not be read to their end. Each is among the findings.
    pub damage: Vec<CaptureError>,
}

/// How often something was met, and where first.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    first: Option<(Origin, Option<Endpoints>)>,
}

impl Tally {
    fn add(&mut self, count: u64, origin: Origin, ends: Option<Endpoints>) {
        self.count += count;
        let first = self.first.get_or_insert((origin, ends));
        if origin < first.0 {
            *first = (origin, ends);
        }
    }

    /// Where it was met first, in words.
    fn place(&self) -> String {
        let Some((origin, ends)) = self.first else { return String::new() };
        let first = if self.count > 1 { "the first " } else { "" };
        let ends = ends.map(|ends| format!("in {} → {} ", ends.client, ends.server));
        format!("{first}{}in frame {}", ends.unwrap_or_default(), origin.frame)
    }
}

/// Counts what is met while a capture is read.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    gaps: Tally,
    missing_bytes: u64,
    incomplete: Tally,
    begun_before: u64,
    open_at_end: u64,
    dropped: Tally,
    conflicts: Tally,
    unknown_links: Tally,
    unknown_link: String,
    notices: Vec<(NoticeKind, Tally)>,
    damage: Vec<CaptureError>,
}

impl Tallies {
    /// Losses in a connection that belong to no exchange.
    pub(crate) fn gaps(&mut self, count: u64, bytes: u64, first: Origin, ends: Endpoints) {
        self.gaps.add(count, first, Some(ends));
        self.missing_bytes = self.missing_bytes.saturating_add(bytes);
    }

    /// A connection without an exchange has ended.
    pub(crate) fn without_exchange(&mut self, ends: Endpoints, began: Origin, reason: EndReason) {
        let is_open = reason == EndReason::CaptureEnded;
        if ends.guessed || is_open {
            self.incomplete.add(1, began, Some(ends));
            self.begun_before += u64::from(ends.guessed);
            self.open_at_end += u64::from(is_open);
        }
    }

    /// A connection was dropped, so that another could be followed.
    pub(crate) fn dropped(&mut self, ends: Endpoints, began: Origin) {
        self.dropped.add(1, began, Some(ends));
    }

    pub(crate) fn conflict(&mut self, origin: Origin, ends: Option<Endpoints>) {
        self.conflicts.add(1, origin, ends);
    }

    pub(crate) fn unknown_link(&mut self, link: impl Display, origin: Origin) {
        if self.unknown_links.count == 0 {
            self.unknown_link = link.to_string();
        }
        self.unknown_links.add(1, origin, None);
    }

    pub(crate) fn notice(&mut self, kind: NoticeKind, origin: Origin) {
        match self.notices.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, tally)) => tally.add(1, origin, None),
            None => {
                let mut tally = Tally::default();
                tally.add(1, origin, None);
                self.notices.push((kind, tally));
            }
        }
    }

    pub(crate) fn damage(&mut self, error: CaptureError) {
        self.damage.push(error);
    }

    /// What comes of it; `files` are the names of the files, if there are several.
    pub(crate) fn into_report(self, files: &[String]) -> CaptureReport {
        let mut findings: Vec<CaptureFinding> =
            self.damage.iter().map(|error| damaged(error, files)).collect();
        let mut say = |code: FindingCode, tally: &Tally, what: &str| {
            let Some((origin, _)) = tally.first else { return };
            let message = format!("{what}, {}", tally.place());
            let at = CapturePlace { frame: Some(origin.frame), ..CapturePlace::default() };
            let (severity, count) = (code.severity(), tally.count);
            findings.push(CaptureFinding { code, severity, message, count, at });
        };
        let what = format!(
            "{} of connections {} not captured and belong to no exchange",
            counted(self.missing_bytes, "byte"),
            if self.missing_bytes == 1 { "was" } else { "were" }
        );
        say(FindingCode::GapElsewhere, &self.gaps, &what);
        let what = counted(self.dropped.count, "connection");
        let what = format!("{what} dropped, as there were too many at once");
        say(FindingCode::ConnectionsDropped, &self.dropped, &what);
        let what = counted(self.conflicts.count, "time");
        let what = format!("bytes were sent again that differ, {what}");
        say(FindingCode::ConflictingBytes, &self.conflicts, &what);
        let what = format!("packets of {} are not read", self.unknown_link);
        say(FindingCode::UnknownLinkType, &self.unknown_links, &what);
        for (kind, tally) in &self.notices {
            let what = format!("{kind}, {}", counted(tally.count, "time"));
            say(FindingCode::UnusablePackets, tally, &what);
        }
        let what = format!(
            "{} without an exchange {} not whole: {} begun before the capture, {} open at its end",
            counted(self.incomplete.count, "connection"),
            if self.incomplete.count == 1 { "is" } else { "are" },
            self.begun_before,
            self.open_at_end
        );
        say(FindingCode::IncompleteConnections, &self.incomplete, &what);
        findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
        CaptureReport { findings, damage: self.damage }
    }
}

fn damaged(error: &CaptureError, files: &[String]) -> CaptureFinding {
    let file = usize::try_from(error.file).ok().and_then(|number| files.get(number)).cloned();
    let code = FindingCode::DamagedFile;
    let name = file.as_deref().map(|file| format!("{file} ")).unwrap_or_default();
    let message = format!("{name}cannot be read further: {error}");
    let at = CapturePlace { frame: None, file, offset: Some(error.offset) };
    CaptureFinding { code, severity: code.severity(), message, count: 1, at }
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
