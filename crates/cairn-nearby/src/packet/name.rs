//! Names: labels of 1 to 63 bytes, 255 in all as they are on the wire (RFC 1035, section 2.3.4).

/// The most bytes of a label.
pub(super) const LABEL_BYTES_MAX: usize = 63;
/// The most bytes of a name on the wire, with each label's length and the end.
pub(super) const NAME_BYTES_MAX: usize = 255;

/// A name. Two of them are the same when they differ in the case of ASCII letters alone: [`Name::is`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name(Vec<Vec<u8>>);

impl Name {
    /// The name of these labels, the first one first; `None` where one has no byte or more than 63, or all together are too long.
    #[must_use]
    pub fn of(labels: &[&str]) -> Option<Self> {
        let mut name = Self::default();
        labels.iter().try_for_each(|label| name.push(label.as_bytes()))?;
        Some(name)
    }

    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// This name below another one; `None` where that is too long.
    #[must_use]
    pub fn under(&self, parent: &Self) -> Option<Self> {
        let mut name = self.clone();
        parent.0.iter().try_for_each(|label| name.push(label))?;
        Some(name)
    }

    /// Whether two names are the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.ends_with(other)
    }

    /// Whether it is `other` or a name below it.
    #[must_use]
    pub fn ends_with(&self, other: &Self) -> bool {
        let more = self.0.len().checked_sub(other.0.len());
        more.is_some_and(|more| self.0[more..].iter().zip(&other.0).all(|(one, two)| one.eq_ignore_ascii_case(two)))
    }

    /// Adds a label behind the others; `None` where it is none, or the name grows too long.
    pub(super) fn push(&mut self, label: &[u8]) -> Option<()> {
        let fits =
            (1..=LABEL_BYTES_MAX).contains(&label.len()) && self.wire_bytes() + 1 + label.len() <= NAME_BYTES_MAX;
        fits.then(|| self.0.push(label.to_vec()))
    }

    /// Bytes on the wire, uncompressed.
    fn wire_bytes(&self) -> usize {
        1 + self.0.iter().map(|label| 1 + label.len()).sum::<usize>()
    }
}
