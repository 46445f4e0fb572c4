-- For wrk: numbers go out, and their multiples have to come back, whatever build of the model answers.
local thread_count = 0
function setup(thread)
  thread:set("number", thread_count * 1000000)
  thread_count = thread_count + 1
  threads = threads or {}
  table.insert(threads, thread)
end

function init()
  wrong, answers, twice, thrice = 0, 0, 0, 0
end

function request()
  number = number + 1
  local body = string.format(
    '{"id": "%d", "inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [%d]}]}', number, number)
  return wrk.format("POST", "/v2/models/scale/infer", {["Content-Type"] = "application/json"}, body)
end

function response(status, headers, body)
  answers = answers + 1
  local id, data = body:match('"id":"(%d+)".*"data":%[([%d%.e%+]+)%]')
  local ratio = id and tonumber(data) / tonumber(id)
  if status == 200 and ratio == 2 then
    twice = twice + 1
  elseif status == 200 and ratio == 3 then
    thrice = thrice + 1
  else
    wrong = wrong + 1
  end
end

function done(summary)
  local totals = {answers = 0, wrong = 0, twice = 0, thrice = 0}
  for _, thread in ipairs(threads) do
    for name in pairs(totals) do totals[name] = totals[name] + thread:get(name) end
  end
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %d\n", totals.answers, totals.wrong, totals.twice, totals.thrice,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
