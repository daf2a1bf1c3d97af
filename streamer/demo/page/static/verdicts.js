// What became of a household after its alert, in words for what the alerts are about.

const OF_ABSENCE = { returned: "came back", gone: "stayed away", open: "too early" };
const OF_DECLINE = { returned: "kept coming", gone: "came less", open: "too early" };
let words = OF_ABSENCE;

/** `definition`: decline or absence, as the bundle has it. */
export function useVerdictsOf(definition) {
  words = definition === "decline" ? OF_DECLINE : OF_ABSENCE;
}

export const verdict = (name) => words[name];

/** The same at the beginning of a sentence or a label. */
export const verdictLabel = (name) => words[name][0].toUpperCase() + words[name].slice(1);
