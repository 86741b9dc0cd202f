// ReDoc over the description of this gateway. The nonce lets its styles in; two of its parts look for it in
// different places.
const nonce = document.currentScript.nonce;
window.__webpack_nonce__ = nonce;
Redoc.init("openapi.json", { nonce }, document.getElementById("redoc"));
document.body.style.margin = "0";
