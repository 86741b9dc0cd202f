//! What the inputs of several targets begin with.

/// Splits `options (1)  n (1)  cuts (n)  rest`.
pub(crate) fn split(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [options, n_cuts, rest @ ..] = input else {
        return None;
    };
    let (cuts, rest) = rest.split_at_checked(usize::from(*n_cuts))?;
    Some((*options, cuts, rest))
}
