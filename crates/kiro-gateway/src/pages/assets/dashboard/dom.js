// Elements, made without ever reading text as HTML.

export const byId = (id) => document.getElementById(id);

// An element with attributes and content; text stays text.
export function make(name, attributes = {}, ...content) {
  return fill(document.createElement(name), attributes, content);
}

export function draw(name, attributes = {}, ...content) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, content);
}

function fill(element, attributes, content) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...content.filter((part) => part !== undefined && part !== null));
  return element;
}
