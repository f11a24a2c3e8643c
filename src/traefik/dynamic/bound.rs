//! The kinds of bounds, and how a value is held against one.

use super::bounds::MOST_ELEMENTS;
use super::text::{self, Excess};
use super::{Allowance, Duration};

/// What a whole number may be.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// The smallest.
    pub least: i64,
    /// The greatest.
    pub most: i64,
    /// Whether 0 stands for Traefik's default, below the smallest.
    pub or_zero: bool,
    /// Whether it is a size or a count, which a quota multiplies.
    pub scales: bool,
    /// Whether a value beyond it harms Traefik as a whole, so that nobody is trusted with it.
    pub for_everybody: bool,
    /// Why there is a bound.
    pub reason: &'static str,
}

/// What a duration may be.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The shortest, in nanoseconds.
    pub least: i64,
    /// The longest, in nanoseconds.
    pub most: i64,
    /// Whether 0 stands for none, or for Traefik's default.
    pub or_zero: bool,
    /// Whether any negative one has a meaning of its own.
    pub or_negative: bool,
    /// Why there is a bound.
    pub reason: &'static str,
}

/// What text may be.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The longest, in characters.
    pub longest: usize,
    /// What an element of a list without a character is.
    pub empty: Empty,
    /// What Traefik needs it to be in order to build what it belongs to.
    pub form: fn(&str) -> Result<(), String>,
}

/// What an element without a character means in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// An element as any other.
    Allowed,
    /// Nothing: it is left out before Traefik sees it.
    LeftOut,
    /// Something that is missing. Compose writes a variable so that is not set.
    Refused,
}

impl Number {
    /// Why a number is beyond the bound.
    pub fn check(&self, number: i64, allowance: Allowance) -> Result<(), String> {
        let most = match allowance {
            Allowance::Unbounded if !self.for_everybody => return Ok(()),
            Allowance::Times(factor) if self.scales => self.most.saturating_mul(i64::from(factor)),
            Allowance::Times(_) | Allowance::Unbounded => self.most,
        };
        if (self.least..=most).contains(&number) || self.or_zero && number == 0 {
            return Ok(());
        }
        Err(format!(
            "`{number}` is not from {} to {most}: {}",
            self.least, self.reason
        ))
    }
}

impl Span {
    /// Why a duration is beyond the bound.
    pub fn check(&self, duration: Duration, allowance: Allowance) -> Result<(), String> {
        let nanoseconds = duration.nanoseconds();
        let is_within = allowance == Allowance::Unbounded
            || (self.least..=self.most).contains(&nanoseconds)
            || self.or_zero && nanoseconds == 0
            || self.or_negative && nanoseconds < 0;
        if is_within {
            return Ok(());
        }
        let [least, most] = [self.least, self.most].map(Duration::of_nanoseconds);
        Err(format!(
            "`{duration}` is not from {least} to {most}: {}",
            self.reason
        ))
    }
}

impl Text {
    /// Why a text is beyond the bound, or is not what Traefik can use.
    pub fn check(&self, text: &str, allowance: Allowance) -> Result<(), String> {
        text::reads_alike(text)?;
        let longest = allowance.most(self.longest);
        // There are no more characters than bytes.
        if text.len() > longest && text.chars().count() > longest {
            return Err(format!(
                "`{}` has {} characters, and {longest} are the most",
                Excess(text),
                text.chars().count()
            ));
        }
        (self.form)(text)
    }

    /// The same of a list, with a hint.
    pub fn check_list(
        &self,
        list: &[String],
        allowance: Allowance,
    ) -> Result<(), (String, Option<&'static str>)> {
        let most = allowance.most(MOST_ELEMENTS);
        if list.len() > most {
            let reason = format!("it has {} elements, and {most} are the most", list.len());
            return Err((reason, None));
        }
        let is_unset = match self.empty {
            Empty::LeftOut => false,
            // Traefik reads a document's list of one empty element as no list at all, and a
            // label's as that element.
            Empty::Allowed => matches!(list, [only] if only.is_empty()),
            Empty::Refused => list.iter().any(String::is_empty),
        };
        if is_unset {
            return Err((
                "an element of the list is empty".to_owned(),
                Some("if a variable stands there, it is not set"),
            ));
        }
        list.iter()
            .filter(|element| !element.is_empty())
            .try_for_each(|element| self.check(element, allowance))
            .map_err(|reason| (reason, None))
    }
}
