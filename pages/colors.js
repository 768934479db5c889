// The colours of a text: what programs print in colour for a terminal (SGR sequences) becomes elements with
// the classes that the forever frame has, for which style.css has the rules. src/wire/sgr.rs and style.rs
// say what the sequences are and mean; this is the same for messages that a script shows.

/** Returns a text as what an element can be given by `append(...)`. The text is never read as HTML. */
export const colored = (() => {
  const SEQUENCE = /(\x1b\[\d{0,3}(?:;\d{0,3}){0,15}m)/;
  const EFFECTS = [['bold', 1, 22], ['faint', 2, 22], ['italic', 3, 23], ['underline', 4, 24], ['inverse', 7, 27], ['strike', 9, 29]];
  const MOST = 1000;

  /** Returns which of the 16 colours is like this one. */
  function like(parts) {
    const least = Math.min(...parts), greatest = Math.max(...parts);
    if (greatest - least <= greatest >> 2) return greatest < 64 ? 0 : greatest < 180 ? 8 : greatest < 243 ? 7 : 15;
    const middle = (least + greatest) >> 1;
    const hue = parts.reduce((sum, part, bit) => sum + (part > middle) * 2 ** bit, 0);
    return greatest < 240 ? hue : hue + 8;
  }

  /** Returns which of the 16 colours is like this one of the 256. */
  function of256(color) {
    if (color < 16) return color;
    if (color > 231) return like(Array(3).fill(8 + 10 * (color - 232)));
    return like([36, 6, 1].map(place => [0, 95, 135, 175, 215, 255][Math.floor((color - 16) / place) % 6]));
  }

  /** Takes the colour that the numbers after 38 or 48 choose; undefined if they choose none. */
  function chosen(numbers) {
    const take = count => {
      const taken = numbers.splice(0, count);
      return taken.length === count && taken.every(number => number < 256) ? taken : undefined;
    };
    const [kind] = take(1) ?? [];
    const parts = take({ 2: 3, 5: 1 }[kind] ?? 0);
    return parts?.length === 3 ? like(parts) : parts?.length === 1 ? of256(parts[0]) : undefined;
  }

  /** Changes a style to that of what follows a sequence. */
  function follow(style, sequence) {
    const numbers = sequence.slice(2, -1).split(';').map(Number);
    while (numbers.length) {
      const number = numbers.shift();
      const [tens, digit] = [Math.floor(number / 10), number % 10];
      if (number === 0) {
        for (const key of Object.keys(style)) delete style[key];
      } else if ([38, 48, 58].includes(number)) {
        const color = chosen(numbers);
        if (color === undefined) return;
        if (number === 38) style.fg = color;
        if (number === 48) style.bg = color;
      } else if (number === 39) delete style.fg;
      else if (number === 49) delete style.bg;
      else if (digit < 8 && (tens === 3 || tens === 9)) style.fg = tens === 3 ? digit : digit + 8;
      else if (digit < 8 && (tens === 4 || tens === 10)) style.bg = tens === 4 ? digit : digit + 8;
      else {
        for (const [effect, begins, ends] of EFFECTS) {
          if (number === begins || (number === 21 && effect === 'underline')) style[effect] = true;
          if (number === ends) delete style[effect];
        }
      }
    }
  }

  /** Returns the classes of a style. */
  function classes({ fg, bg, ...effects }) {
    const names = EFFECTS.map(([effect]) => effect).filter(effect => effects[effect]);
    if (bg !== undefined) names.unshift(`bg${bg}`);
    if (fg !== undefined) names.unshift(`fg${fg}`);
    return names.join(' ');
  }

  return text => {
    const style = {}, parts = new DocumentFragment();
    let most = MOST;
    text.split(SEQUENCE).forEach((part, index) => {
      if (index % 2) return follow(style, part);
      const className = classes(style);
      if (!part || !className || most === 0) return parts.append(part);
      most -= 1;
      const run = document.createElement('span');
      run.className = className;
      run.textContent = part;
      return parts.append(run);
    });
    return parts;
  };
})();
