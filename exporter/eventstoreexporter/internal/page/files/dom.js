// Makes elements. Data of events becomes text, never HTML.

export const $ = (id) => document.getElementById(id);

// make returns an element with attributes and children. A child that is not an element becomes text.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name === 'onclick') element.addEventListener('click', value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null).map((child) => child instanceof Node ? child : printable(String(child))));
  return element;
}

// printable replaces invisible characters and those that change the direction of text.
export const printable = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g, '\ufffd');

// say sets the text of an element if it differs. A screen reader reads each change of a live region aloud.
export function say(element, text) {
  const shown = printable(text);
  if (element.textContent !== shown) element.textContent = shown;
}

// isPlainClick returns whether a click on a link stays in this tab.
export const isPlainClick = (event) => event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
