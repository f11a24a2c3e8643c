//! The classes of characters that have a Unicode name: `\pL`, `\p{Greek}`, `\P{^Han}`.

use super::InvalidRegexp;

/// The categories and scripts by name, in lower case and ordered. As Traefik's Go finds them: it
/// looks names up without their underscores, and so finds no script whose name has one.
const NAMES: &str = "\
    adlam ahom any arabic armenian ascii assigned avestan balinese bamum batak bengali \
    bhaiksuki bopomofo brahmi braille buginese buhid c carian casedletter cc cf chakma cham \
    cherokee chorasmian closepunctuation cn cntrl co combiningmark common \
    connectorpunctuation control coptic cs cuneiform currencysymbol cypriot cyrillic \
    dashpunctuation decimalnumber deseret devanagari digit dogra duployan elbasan elymaic \
    enclosingmark ethiopic finalpunctuation format georgian glagolitic gothic grantha greek \
    gujarati gurmukhi han hangul hanunoo hatran hebrew hiragana inherited initialpunctuation \
    javanese kaithi kannada katakana kawi kharoshthi khmer khojki khudawadi l lao latin lc \
    lepcha letter letternumber limbu lineseparator lisu ll lm lo lowercaseletter lt lu \
    lycian lydian m mahajani makasar malayalam mandaic manichaean marchen mark mathsymbol mc \
    me medefaidrin miao mn modi modifierletter modifiersymbol mongolian mro multani myanmar \
    n nabataean nandinagari nd newa nko nl no nonspacingmark number nushu ogham \
    openpunctuation oriya osage osmanya other otherletter othernumber otherpunctuation \
    othersymbol p palmyrene paragraphseparator pc pd pe pf phoenician pi po privateuse ps \
    punct punctuation rejang runic s samaritan saurashtra sc separator sharada shavian \
    siddham sinhala sk sm so sogdian soyombo spaceseparator spacingmark sundanese surrogate \
    symbol syriac tagalog tagbanwa takri tamil tangsa tangut telugu thaana thai tibetan \
    tifinagh tirhuta titlecaseletter toto ugaritic unassigned uppercaseletter vai vithkuqi \
    wancho yezidi yi z zl zp zs";

/// What is behind the name in `L…` or `{Greek}…`.
pub(super) fn read(text: &str) -> Result<&str, InvalidRegexp> {
    let (name, rest) = match text.strip_prefix('{') {
        Some(braced) => braced
            .split_once('}')
            .ok_or_else(|| InvalidRegexp::new("a `\\p{` is not closed"))?,
        None => {
            let length = text.chars().next().map_or(0, char::len_utf8);
            text.split_at(length)
        }
    };
    let positive = name.strip_prefix('^').unwrap_or(name);
    let plain: String = positive
        .chars()
        .filter(|character| !matches!(character, ' ' | '_' | '-'))
        .map(|character| character.to_ascii_lowercase())
        .collect();
    if plain.is_empty() || NAMES.split(' ').all(|known| known != plain) {
        return Err(InvalidRegexp::new(format!(
            "Go knows no characters by the name of `{name}`"
        )));
    }
    Ok(rest)
}
