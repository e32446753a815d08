//! Gray pictures inside of a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wgpu_linear::events::Image;

/// A picture as a `data:` address of a PNG file; `None` where there are not as many pixels as
/// columns times rows.
pub(super) fn data_address([width, height]: [usize; 2], pixels: &[u8]) -> Option<String> {
    let side = |side: usize| u32::try_from(side).ok();
    let image = Image::from_gray8(side(width)?, side(height)?, pixels).ok()?;
    Some(format!(
        "data:image/png;base64,{}",
        STANDARD.encode(image.png())
    ))
}
