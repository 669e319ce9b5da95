/** A token for this page, from the backend of its own origin. The SDK asks again when it is over. */
export async function buyToken() {
  const answer = await fetch("/session", { method: "POST" });
  if (!answer.ok) throw new Error(`the backend answered ${answer.status}`);
  return (await answer.json()).token;
}
