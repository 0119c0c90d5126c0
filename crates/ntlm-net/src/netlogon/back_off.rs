//! Controllers that failed are left alone for a while, each time in a row for twice as long.

use super::error::ControllerError;
use super::name::ControllerName;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The controllers that are left alone, and those that were until lately.
#[derive(Debug)]
pub(super) struct BackOff {
    first: Duration,
    most: Duration,
    failed: HashMap<ControllerName, Failed>,
}

#[derive(Debug)]
struct Failed {
    until: Instant,
    /// How long, the next time.
    next: Duration,
    error: ControllerError,
}

impl BackOff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, failed: HashMap::new() }
    }

    /// A controller failed, which took so long; it is left alone at least as long again.
    pub(super) fn failed(
        &mut self,
        controller: &ControllerName,
        error: ControllerError,
        took: Duration,
        now: Instant,
    ) {
        // Whoever was well for long, or is named no more, begins anew.
        self.failed.retain(|_, failed| now < failed.until + self.most);
        let next = self.failed.get(controller).map_or(self.first, |last| last.next);
        let how_long = next.max(took);
        let next = next.saturating_mul(2).min(self.most);
        self.failed.insert(controller.clone(), Failed { until: now + how_long, next, error });
    }

    /// A controller judged.
    pub(super) fn is_well(&mut self, controller: &ControllerName) {
        self.failed.remove(controller);
    }

    /// Until when a controller is left alone, and why.
    pub(super) fn left_alone(
        &self,
        controller: &ControllerName,
        now: Instant,
    ) -> Option<(Instant, &ControllerError)> {
        let failed = self.failed.get(controller).filter(|failed| failed.until > now)?;
        Some((failed.until, &failed.error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn dc(host: &str) -> ControllerName {
        ControllerName { host: host.to_owned(), port: None }
    }

    fn for_how_long(back_off: &BackOff, host: &str, now: Instant) -> Option<Duration> {
        back_off.left_alone(&dc(host), now).map(|(until, _)| until - now)
    }

    #[test]
    fn each_time_in_a_row_for_twice_as_long() {
        let mut back_off = BackOff::new(SECOND, SECOND * 5);
        let mut now = Instant::now();
        for seconds in [1, 2, 4, 5, 5] {
            back_off.failed(&dc("dc1"), ControllerError::NoAddress, Duration::ZERO, now);
            assert_eq!(for_how_long(&back_off, "dc1", now), Some(SECOND * seconds));
            now += SECOND * seconds;
            assert_eq!(for_how_long(&back_off, "dc1", now), None);
        }
        assert_eq!(for_how_long(&back_off, "dc2", now), None);
        back_off.is_well(&dc("dc1"));
        back_off.failed(&dc("dc1"), ControllerError::NoAddress, Duration::ZERO, now);
        assert_eq!(for_how_long(&back_off, "dc1", now), Some(SECOND));
    }

    #[test]
    fn what_took_long_is_left_alone_as_long_again() {
        let mut back_off = BackOff::new(SECOND, SECOND * 60);
        let now = Instant::now();
        back_off.failed(&dc("dc1"), ControllerError::NoAddress, SECOND * 5, now);
        assert_eq!(for_how_long(&back_off, "dc1", now), Some(SECOND * 5));
    }

    #[test]
    fn names_that_nobody_has_are_forgotten() {
        let mut back_off = BackOff::new(SECOND, SECOND * 5);
        let mut now = Instant::now();
        for number in 0..1000 {
            let name = dc(&number.to_string());
            back_off.failed(&name, ControllerError::NoAddress, Duration::ZERO, now);
            now += SECOND;
        }
        assert!(back_off.failed.len() < 10, "{}", back_off.failed.len());
    }
}
