import assert from "node:assert/strict";
import test from "node:test";
import { percent, points } from "../src/parts/format";
import { asText, compare, phrase, sentence, type SentenceInput } from "../src/views/workbench/sentence";

const given = (more: Partial<SentenceInput>): SentenceInput => ({
  edited: false,
  regression: false,
  prediction: 0.7,
  base: 0.24,
  outcome: "earn more than $50K",
  output: "more",
  pushes: [
    { phrase: "role husband", value: 0.112 },
    { phrase: "no capital gain", value: -0.014 },
    { phrase: "occupation executive", value: 0.108 },
    { phrase: "age 43", value: 0.085 },
  ],
  level: (v) => percent(v),
  push: (v) => points(v, 0),
  least: 0.01,
  ...more,
});

test("prediction, comparison, two for, two against", () => {
  const text = asText(sentence(given({})));
  assert.equal(
    text,
    "The model says 70% likely to earn more than $50K, 3 times the average of 24%. Mostly because of role husband (+11) and occupation executive (+11); pulling down: no capital gain (\u22121).",
  );
});

test("colours follow the sign, words the side of the average", () => {
  const pieces = sentence(given({ prediction: 0.1 }));
  assert.deepEqual(pieces.filter((p) => p.tone === "down").map((p) => p.text), ["no capital gain"]);
  assert.match(asText(pieces), /below the average of 24%\. Mostly because of no capital gain .*; pulling up: role husband/);
});

test("without an outcome the output is named; without pushes nothing is claimed", () => {
  assert.equal(asText(sentence(given({ outcome: "", output: "setosa", pushes: null }))), "The model says 70% for setosa, 3 times the average of 24%.");
  assert.match(asText(sentence(given({ pushes: [{ phrase: "age 43", value: 0.001 }] }))), /No single fact stands out\.$/);
});

test("edits are said", () => {
  assert.match(asText(sentence(given({ edited: true }))), /^With your changes the model would say 70%/);
});

test("how far from the average", () => {
  const level = (v: number): string => `$${v}`;
  const at = (p: number, base: number, regression = false): string => compare(p, base, "A", regression, level);
  assert.equal(at(0.5, 0.25), "twice the average of A");
  assert.equal(at(0.75, 0.25), "3 times the average of A");
  assert.equal(at(0.3, 0.24), "above the average of A");
  assert.equal(at(0.24, 0.24), "close to the average of A");
  assert.equal(at(0.1, 0.24), "below the average of A");
  assert.equal(at(0.9, 0.01), "far above the average of A");
  assert.equal(at(120, 100, true), "$20 above the average of A");
  assert.equal(at(60, 100, true), "$40 below the average of A");
  assert.equal(at(101, 100, true), "close to the average of A");
});

test("facts read as phrases", () => {
  assert.equal(phrase("Capital gain", "$0", 0, true), "no capital gain");
  assert.equal(phrase("Occupation", "executive", 3, false), "occupation executive");
  assert.equal(phrase("Employer", "missing", NaN, false), "employer missing");
  assert.equal(phrase("BMI", "31", 31, false), "BMI 31");
});
