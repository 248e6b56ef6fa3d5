// Which PINs the service takes, so that the page can say so while one is typed. The service decides; a test compares.

/** Each rule with its text, and whether a PIN keeps it. */
export const RULES = [
  { text: "pinRuleDigits", isKept: (pin) => /^[0-9]{4}$/.test(pin) },
  { text: "pinRuleDifferent", isKept: (pin) => new Set(pin.match(/[0-9]/g)).size >= 3 },
  { text: "pinRuleRun", isKept: (pin) => /^[0-9]{4}$/.test(pin) && !isRun(pin, 1) && !isRun(pin, 9) },
];

export const isSecure = (pin) => RULES.every((rule) => rule.isKept(pin));

/** Each digit `step` further than the one before, and 9 is followed by 0. */
function isRun(pin, step) {
  const digits = [...pin].map(Number);
  return digits.slice(1).every((digit, index) => (digits[index] + step) % 10 === digit);
}
