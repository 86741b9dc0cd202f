//! What becomes of each keyword.

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    /// One type.
    Type,
    /// Schemas by name.
    Properties,
    /// Names.
    Required,
    /// Values.
    Enum,
    /// One value, which becomes an `enum`.
    Const,
    /// Schemas of the items of a list, in any of three spellings.
    Items,
    /// Schemas to choose from.
    Choice,
    /// Text.
    Description,
    /// Schemas that are copied to where they are referred to, or merged where they stand.
    Resolved,
    /// Taken out because the service refuses it, and told in the description if that says something.
    Refused(&'static str),
    /// Taken out without a word.
    Meaningless,
    /// Kept as it is.
    Other,
}

impl Keyword {
    /// Looks a keyword up.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "type" => Self::Type,
            "properties" => Self::Properties,
            "required" => Self::Required,
            "enum" => Self::Enum,
            "const" => Self::Const,
            "items" | "prefixItems" => Self::Items,
            "anyOf" | "oneOf" => Self::Choice,
            "description" => Self::Description,
            "allOf" | "definitions" => Self::Resolved,
            _ if name.starts_with('$') => match name {
                "$ref" | "$defs" => Self::Resolved,
                _ => Self::Meaningless,
            },
            _ => match REFUSED.binary_search(&name) {
                Ok(at) => Self::Refused(REFUSED[at]),
                Err(_) => Self::Other,
            },
        }
    }
}

/// Keywords that the service refuses, always or at times, in alphabetical order.
///
/// Source: one gateway's list from experiments; others send a few of them without harm (October 2026).
/// `not` is ours, because what stands in it may refer to definitions that are gone.
const REFUSED: [&str; 33] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "pattern",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_keyword_is_found() {
        for keyword in REFUSED {
            assert_eq!(Keyword::of(keyword), Keyword::Refused(keyword));
        }
        assert_eq!(Keyword::of("$schema"), Keyword::Meaningless);
        assert_eq!(Keyword::of("title"), Keyword::Other);
    }
}
